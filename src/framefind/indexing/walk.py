"""Walk: find the files that may be videos, in folders, in object stores and by name."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from framefind.arguments import texts
from framefind.errors import StoreError
from framefind.files import objects as remote
from framefind.files.names import Patterns, as_microseconds, is_below, is_library, locate
from framefind.types import PathLike

SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@sharebin", "@database"),  # Synology
    *("@recycle", "@recently-snapshot", "@__thumb", "@transcode", "@upload_cache"),  # QNAP
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),  # Windows
    *("lost+found", "~snapshot"),  # Linux, NetApp
    *("network trash folder", "temporary items"),  # macOS on shares
}
"""Folders that systems keep beside people's files: previews, what was deleted, snapshots."""


@dataclass(frozen=True)
class File:
    """A file that may be a video, as the file system has it.

    `modified` is in microseconds since 1970, between the years 1 and 9999; `named` tells that the
    user named the file itself; `error` why it cannot be looked at.
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

    What is hidden, libraries and folders of the system (`SYSTEM_FOLDERS`) are skipped unless they
    are named themselves, links are followed without loops. A file in a folder must match one of the
    `glob` patterns, if any, and none of `exclude`, as `Patterns` reads them. With `roots`,
    only what lies below one of them once links are resolved. Folders and files that cannot be read
    come with an `error`. URIs of object stores are walked as folders are. Raises StoreError for a
    URI that nothing installed here can open.
    """
    wanted, unwanted = texts(glob, "glob"), texts(exclude, "exclude")
    below = [os.path.realpath(os.path.expanduser(root)) for root in texts(roots, "roots")]
    seen: set[str] = set()
    folders: set[tuple[int, int]] = set()
    for path in texts(paths, "paths"):
        root = remote.canonical_uri(path)
        if not remote.is_remote(root):
            root = locate(root)
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


def is_passed_over(name: str) -> bool:
    """Whether a walk passes over what has such a name: it is hidden, or a folder of the system."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def _below(
    root: str, glob: list[str], exclude: list[str], folders: set[tuple[int, int]]
) -> Iterator[File]:
    root = os.path.realpath(root)
    if is_library(root):
        yield File(root, error="this is a library, not a folder of videos")
        return
    wanted, unwanted = Patterns(glob, root), Patterns(exclude, root)
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
                skipped = is_passed_over(entry.name) or unwanted.match_name(entry.path)
                if not skipped and not is_library(entry.path):
                    deeper.append(entry.path)
            elif (not glob or wanted.match(entry.path)) and not unwanted.match(entry.path):
                yield look_up(entry.path)
        pending += reversed(deeper)


def _objects(root: str, glob: list[str], exclude: list[str]) -> Iterator[File]:
    """What lies in an object store at `root`, by the rules of `walk`; one listing tells it."""
    try:
        found = remote.find_object(root)
        objects = remote.list_objects(root) if found is None else [found]
    except StoreError as error:
        if isinstance(error.__cause__, ImportError):
            raise
        yield File(root, named=True, error=str(error).removeprefix(f"{root}: "))
        return
    if found:
        yield File(root, found.size, found.modified, named=True)
        return
    names = [known.uri[len(root) + 1 :] for known in objects]
    wanted, unwanted = Patterns(glob, root), Patterns(exclude, root)
    libraries = _libraries(names)
    if "" in libraries:
        yield File(root, error="this is a library, not a folder of videos")
        return
    for name, known in zip(names, objects, strict=True):
        folders = {str(folder) for folder in PurePosixPath(name).parents}
        *above, own = name.split("/")
        hidden = own.startswith(".") or any(map(is_passed_over, above))
        if hidden or folders & libraries or unwanted.match(known.uri):
            continue
        if not glob or wanted.match(known.uri):
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
    return File(resolved, facts.st_size, as_microseconds(facts.st_mtime_ns), named)
