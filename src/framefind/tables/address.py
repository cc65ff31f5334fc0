"""Where a library lies: a local folder or an object store, its errors in words, and its lock."""

import errno
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from framefind import arguments
from framefind.errors import BusyError, LibraryError
from framefind.files import config, disk
from framefind.files.folders import expand_home
from framefind.files.names import is_library
from framefind.files.objects import canonical_uri, hide_secrets
from framefind.processes import check_memory
from framefind.types import PathLike

if TYPE_CHECKING:
    import pyarrow.fs

LOCK = ".lock"
"""Name of the file that `lock` locks in a local library; it stays there."""

_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f\ud800-\udfff]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ARROW = re.compile(r" ?(->|↳) ?")
_BACKTRACE = re.compile(r" 0: <unknown>.*")  # delta-rs appends it to its messages
_log = logging.getLogger(__name__)

_HELD_BY_OTHERS = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
"""Errors of a lock that another process holds."""

_MIN_FREE_BYTES = 64 * 1024  # a commit takes about half of that
_MAX_RESTORE_ATTEMPTS = 100
_RESTORE_PAUSE_SECONDS = 0.01

_ADVICE = {
    "No space left": "free some space and run again; nothing that was committed is lost",
    "File too large": "files may not be that large here; nothing that was committed is lost",
    "Read-only file system": "copy it to where you may write, or choose another library",
    "Permission denied": "get permission, or choose another library",
    "Too many open files": "raise the limit: `ulimit -n 4096`",
}


def is_local(uri: str) -> bool:
    """Return whether a library's address is a path, not a URI."""
    return "://" not in uri


def check_address(uri: str) -> None:
    """Raise LibraryError for a path that delta-rs misreads, before anything is created there.

    delta-rs resolves links, and then takes a backslash, or a percent sign before two hex digits,
    for an escape: it would read other files than it writes.
    """
    if not is_local(uri):
        return
    path = os.path.realpath(uri)
    if sys.platform == "win32":
        path = path.replace("\\", "/")
    if match := _MISREAD.search(path):
        text = match[0] if match[0].isprintable() else ascii(match[0])[1:-1]
        raise LibraryError(
            f"{printable_path(path)} cannot be the path of a library, since Delta Lake misreads "
            f"`{text}` in paths: rename that folder, or name another one"
        )


def printable_path(path: str) -> str:
    """Return a path with each byte that is not UTF-8 replaced by a replacement character."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def storage_options(uri: str) -> dict[str, str] | None:
    """Return the options for delta-rs that it does not read from the environment itself.

    None of them is needed for safe commits beside other writers: each commit is a conditional
    write.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not uri.startswith("s3://") or not endpoint:
        return None
    plain = endpoint.startswith("http://")  # such as a store on this computer
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": str(plain).lower()}


def filesystem(uri: str) -> "pyarrow.fs.FileSystem":
    """Return a file system whose root is the table at a path or URI."""
    import pyarrow.fs

    if is_local(uri):
        return pyarrow.fs.SubTreeFileSystem(uri, pyarrow.fs.LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler  # has the credentials that commits have

    return pyarrow.fs.PyFileSystem(DeltaStorageHandler(uri, storage_options(uri)))


def measure_size(uri: str) -> int:
    """Return the bytes of all files of a library, including its index and old versions."""
    if is_local(uri):
        return sum(file.stat().st_size for file in Path(uri).rglob("*") if file.is_file())
    from pyarrow.fs import FileSelector

    with as_library_error(f"cannot read the library {uri}"):
        files = filesystem(uri).get_file_info(FileSelector("", recursive=True))
    return sum(file.size or 0 for file in files)


@contextmanager
def as_library_error(action: str, *except_for: type[Exception]) -> Iterator[None]:
    """Turn an error of a store, Parquet or Delta Lake into a LibraryError that says what to do.

    Its message begins with `action`, such as "cannot read a.framefind". Exceptions of the types
    `except_for` stay as they are.
    """
    try:
        yield
    except except_for:
        raise
    except Exception as error:
        from deltalake.exceptions import DeltaError  # imported late: a search needs neither
        from pyarrow import ArrowException

        if not isinstance(error, OSError | DeltaError | ArrowException):
            raise
        line = hide_secrets(_ARROW.sub(": ", _COLOUR.sub("", " ".join(str(error).split()))))
        raise LibraryError(add_advice(f"{action}: {_BACKTRACE.sub('', line)}")) from error


def add_advice(text: str) -> str:
    """Return an error message, followed by what can be done about it if that is known."""
    advice = next((advice for cause, advice in _ADVICE.items() if cause in text), None)
    return f"{text}; {advice}" if advice else text


def _check_room(uri: str) -> None:
    """Raise LibraryError when the disk is nearly full: delta-rs panics when it fills up."""
    place = next(folder for folder in (Path(uri), *Path(uri).parents) if folder.exists())
    if shutil.disk_usage(place).free < _MIN_FREE_BYTES:
        raise LibraryError(add_advice(f"cannot write to the library {uri}: No space left"))


@contextmanager
def lock(uri: str, exclusive: bool = True, doing: str = "writing") -> Iterator[bool]:
    """Hold a local library as its only writer, or as one of several; creates the folder.

    The lock is released when the process ends, however it ends. Yields whether the library is
    held: it is not on an object store, nor on a file system without locks, where only the commits
    keep writers apart. Raises BusyError at once when another process holds the library (its message
    tells what that process is `doing`), and LibraryError when the library cannot be written.
    """
    if not is_local(uri):
        yield False
        return
    with as_library_error(f"cannot write to the library {uri}"):
        check_memory()
        _check_room(uri)
        Path(uri).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(Path(uri, LOCK), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        is_held = True
        try:
            disk.lock(descriptor, exclusive=exclusive)
        except disk.NoLocksError:
            is_held = False
            _log.warning(
                "%s lies on a file system without locks: see to it that nothing else writes to it",
                uri,
            )
        except OSError as error:
            if error.errno not in _HELD_BY_OTHERS:
                raise LibraryError(f"cannot lock {Path(uri, LOCK)}: {error.strerror}") from error
            busy = ", ".join(f"{task} (process {process})" for process, task in _read_holders(uri))
            raise BusyError(
                f"another framefind is writing to {uri}{busy and ': '}{busy}; wait for it, or "
                "choose another library"
            ) from error
        mine = (os.getpid(), doing)
        _write_holders(descriptor, [*([] if exclusive else _read_holders(uri)), mine])
        try:
            yield is_held
        finally:
            _write_holders(descriptor, [holder for holder in _read_holders(uri) if holder != mine])
    finally:
        os.close(descriptor)


def resolve_library(library: PathLike) -> str:
    """Return the address of a library as it is stored: a URI, or an absolute path.

    A library that was moved aside and left there, as by a `reembed` that was stopped, is moved back
    first. Raises LibraryError where there is none and none can be created.
    """
    text = canonical_uri(arguments.text(library, "library"))
    if not is_local(text):
        return text
    uri = os.path.abspath(expand_home(text))
    check_address(uri)
    if not is_library(uri):
        if is_library(str(aside_path(uri))):
            restore_library(uri)
        else:
            check_place(uri)
    return uri


def check_place(uri: str) -> None:
    """Raise LibraryError for a path where there is no library and none can be created."""
    try:
        is_taken = holds_others(Path(uri))
    except OSError as error:
        raise as_unreadable(error) from error
    if is_taken:
        kind = "is not a framefind library" if Path(uri).is_dir() else "is a file"
        raise LibraryError(f"{uri} {kind}; name another folder")


def as_unreadable(error: OSError) -> LibraryError:
    """Return the error for a library with a folder that cannot be listed."""
    return LibraryError(add_advice(f"{error.filename}: {error.strerror}"))


def holds_others(folder: Path) -> bool:
    """Return whether a folder holds anything but its settings and an interrupted `create`."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        return True
    # A list, since all are looked into: a folder that cannot be listed raises an error.
    remains = [_is_unfinished(entry) for entry in folder.iterdir()]
    return not all(remains)


def _is_unfinished(entry: Path) -> bool:
    if entry.name in ("videos", "cues", "frames") and entry.is_dir():
        return all(inner.name == "_delta_log" for inner in entry.iterdir())
    return entry.name in (LOCK, config.NAME)


def aside_path(uri: str) -> Path:
    """Return where a local library lies while another one takes its place."""
    return Path(f"{uri}.old")


def replace_library(uri: str, successor: str) -> None:
    """Move the local library `successor` to the place of the one at `uri`, whose lock is held.

    What a person has chosen for the library stays.
    """
    with suppress(FileNotFoundError):
        shutil.copy2(Path(uri, config.NAME), Path(successor, config.NAME))
    old = aside_path(uri)
    shutil.rmtree(old, ignore_errors=True)  # left by an earlier run
    Path(uri).rename(old)
    Path(successor).rename(uri)
    shutil.rmtree(old, ignore_errors=True)


def restore_library(uri: str) -> None:
    """Move a library back to its place when `replace_library` was interrupted."""
    old = aside_path(uri)
    for _ in range(_MAX_RESTORE_ATTEMPTS):
        if Path(uri).exists() or not old.exists():
            return
        with suppress(LibraryError), lock(str(old)):  # its holder is about to finish
            old.rename(uri)
        time.sleep(_RESTORE_PAUSE_SECONDS)


def _read_holders(uri: str) -> list[tuple[int, str]]:
    """Return the living processes that hold a library, and what each is doing.

    On Windows always none: a locked file cannot be read there.
    """
    if sys.platform == "win32":
        return []
    holders = []
    with suppress(OSError, ValueError):  # then the error names nobody
        for line in Path(uri, LOCK).read_text().splitlines():
            process, _, task = line.partition(" ")
            if _is_alive(int(process)):
                holders.append((int(process), task))
    return holders


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _write_holders(descriptor: int, holders: list[tuple[int, str]]) -> None:
    """Write who holds the library into its lock file, for the error messages of others."""
    if sys.platform == "win32":
        return
    lines = [f"{process} {task}\n" for process, task in holders]
    with suppress(OSError):  # such as a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, "".join(lines).encode(), 0)
