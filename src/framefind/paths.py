"""Paths: walking folders for files that may be videos, and how names are stored.

A path is stored absolute, with links resolved; bytes of a name that are not UTF-8 are stored
percent-escaped. Objects in a store are files, too: their path is their URI.
"""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from framefind import remote
from framefind.arguments import texts
from framefind.errors import StoreError

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class File:
    """A file that may be a video, as the file system has it.

    `modified` is in microseconds since 1970; `named` tells that the user named the file itself;
    `error` why it cannot be looked at.
    """

    path: str
    size: int = 0
    modified: int = 0
    named: bool = False
    error: str | None = None


def walk(
    paths: PathLike | Iterable[PathLike],
    glob: PathLike | Iterable[PathLike] = (),
    exclude: PathLike | Iterable[PathLike] = (),
    roots: PathLike | Iterable[PathLike] = (),
) -> Iterator[File]:
    """Find the files in folders, at any depth, and the files named themselves; each once.

    What is hidden and libraries are skipped, links are followed without loops. A file in a folder
    must match one of the `glob` patterns, if any, and none of `exclude`; a pattern is matched
    against the name, the path below the folder and the whole path. With `roots`, real paths, only
    what lies below one of them once links are resolved. Folders and files that cannot be read come
    with an `error`. URIs of object stores are walked as folders are. Raises StoreError for a URI
    that nothing installed here can open.
    """
    wanted, unwanted = texts(glob, "glob"), texts(exclude, "exclude")
    below = [os.path.realpath(os.path.expanduser(root)) for root in texts(roots, "roots")]
    seen: set[str] = set()
    folders: set[tuple[int, int]] = set()
    for path in texts(paths, "paths"):
        root = os.path.expanduser(remote.canonical(path))
        if remote.is_remote(root):
            found = _objects(root, wanted, unwanted)
        elif os.path.isdir(root):
            found = _below(root, wanted, unwanted, folders)
        else:
            found = iter([look_up(root, named=True)])
        for file in found:
            if file.path not in seen and (not below or is_below(file.path, below)):
                seen.add(file.path)
                yield file


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a real path is one of the `roots`, real paths too, or lies below one."""
    return any(path == root or path.startswith(os.path.join(root, "")) for root in roots)


def is_library(folder: str) -> bool:
    """Whether a folder is a framefind library."""
    return all(
        os.path.isdir(os.path.join(folder, table, "_delta_log")) for table in ("videos", "frames")
    )


def matches(path: str, patterns: Iterable[str], root: str = "") -> bool:
    """Whether the whole path, the path below `root` or the name matches one of the patterns."""
    names = (path, os.path.relpath(path, root) if root else path, os.path.basename(path))
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns for name in names)


def resolved(path: str | os.PathLike[str]) -> str:
    """A path or a URI the way that files are found under: absolute, with links resolved.

    Raises StoreError for a URI of no store that is known.
    """
    name = remote.canonical(os.fspath(path))
    return name if remote.is_remote(name) else os.path.realpath(os.path.expanduser(name))


def there(paths: Iterable[str]) -> set[str]:
    """Those of some stored paths where something is.

    Objects are asked for together. Raises StoreError when a store cannot be asked.
    """
    files = {*paths}
    uris = {path for path in files if remote.is_remote(path)}
    found = {path for path in files - uris if os.path.lexists(opened(path))}
    return found | {uri for uri, known in remote.facts(uris).items() if known} if uris else found


def facts(path: str) -> tuple[int, int] | None:
    """Size and modified time of a stored path, as `File` has them; None if nothing is there."""
    if remote.is_remote(path):
        known = remote.facts([path])[path]
        return (known.size, known.modified) if known else None
    try:
        found = Path(opened(path)).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns // 1000


def stored(path: str) -> str:
    """A path as it is stored: bytes that are not UTF-8 are percent-escaped."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path)


def opened(path: str) -> str:
    """A stored path as the file system knows it."""
    if "%" not in path or remote.is_remote(path) or os.path.lexists(path):
        return path
    raw = re.sub("%([89A-F][0-9A-F])", lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
    return raw if os.path.lexists(raw) else path


def _below(
    root: str, glob: list[str], exclude: list[str], folders: set[tuple[int, int]]
) -> Iterator[File]:
    root = os.path.realpath(root)
    if is_library(root):
        yield File(root, error="this is a library, not a folder of videos")
        return
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            facts = os.stat(folder)
            if (facts.st_dev, facts.st_ino) in folders:
                continue
            folders.add((facts.st_dev, facts.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield File(folder, error=f"the folder cannot be listed: {error.strerror}")
            continue
        deeper = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if not is_library(entry.path):
                    deeper.append(entry.path)
            elif (not glob or matches(entry.path, glob, root)) and not matches(
                entry.path, exclude, root
            ):
                yield look_up(entry.path)
        pending += reversed(deeper)


def _objects(root: str, glob: list[str], exclude: list[str]) -> Iterator[File]:
    """What lies in an object store at `root`, by the rules of `walk`; one listing tells it."""
    try:
        found = remote.look(root)
        objects = remote.listing(root) if found is None else [found]
    except StoreError as error:
        if isinstance(error.__cause__, ImportError):
            raise
        yield File(root, named=True, error=str(error).removeprefix(f"{root}: "))
        return
    if found:
        yield File(root, found.size, found.modified, named=True)
        return
    names = [known.uri[len(root) + 1 :] for known in objects]
    libraries = _libraries(names)
    if "" in libraries:
        yield File(root, error="this is a library, not a folder of videos")
        return
    for name, known in zip(names, objects, strict=True):
        folders = {str(folder) for folder in PurePosixPath(name).parents}
        hidden = any(part.startswith(".") for part in name.split("/"))
        if hidden or folders & libraries or matches(known.uri, exclude, root):
            continue
        if not glob or matches(known.uri, glob, root):
            yield File(known.uri, known.size, known.modified)


def _libraries(names: Iterable[str]) -> set[str]:
    """The folders among the names of objects that are libraries; "" is the root of all names."""
    tables: dict[str, set[str]] = {}
    for name in names:
        folder, log, _ = f"/{name}".rpartition("/_delta_log/")
        if log:
            library, _, table = folder.rpartition("/")
            tables.setdefault(library.lstrip("/"), set()).add(table)
    return {folder for folder, found in tables.items() if found >= {"videos", "frames"}}


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def look_up(path: str, named: bool = False) -> File:
    """A file at its real path, as the file system has it now."""
    resolved = os.path.realpath(path)
    try:
        facts = Path(resolved).stat()
    except OSError as error:
        return File(resolved, named=named, error=error.strerror or str(error))
    return File(resolved, facts.st_size, facts.st_mtime_ns // 1000, named)
