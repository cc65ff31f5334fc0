"""Walk: find the files that may be videos, in folders, in object stores and by name."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from framefind.arguments import texts
from framefind.errors import StoreError
from framefind.files import objects as remote
from framefind.files.names import (
    Patterns,
    as_microseconds,
    is_below,
    is_library,
    locate,
    stored_path,
)
from framefind.types import PathLike

SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@sharebin", "@database"),  # Synology
    *("@recycle", "@recently-snapshot", "@__thumb", "@transcode", "@upload_cache"),  # QNAP
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),  # Windows
    *("lost+found", "~snapshot"),  # Linux, NetApp
    *("network trash folder", "temporary items"),  # macOS on shares
}
"""Folders that systems keep beside people's files: previews, deleted files, snapshots."""


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
    within: Collection[str] | None = None,
) -> Iterator[File]:
    """Find the files in folders, at any depth, and the files named themselves; each once.

    Hidden files and folders, libraries, and folders of the system (`SYSTEM_FOLDERS`) are skipped
    unless they are named themselves. Links are followed, without loops. A file in a folder must
    match one of the `glob` patterns, if there are any, and none of `exclude`, as `Patterns` reads
    them. With `roots`, only files below one of them count, once links are resolved. With `within`,
    only what is one of these real paths or lies below one is looked at. Folders and files that
    cannot be read come with an `error`. URIs of object stores are walked as folders are.
    Raises StoreError for a URI that nothing installed here can open.
    """
    included = texts(glob, "glob")
    excluded = texts(exclude, "exclude")
    below = [os.path.realpath(os.path.expanduser(root)) for root in texts(roots, "roots")]
    seen: set[str] = set()
    folders: set[tuple[int, int]] = set()
    scope = None if within is None else _Scope(within)
    for path in texts(paths, "paths"):
        root = remote.canonical_uri(path)
        if not remote.is_remote(root):
            root = os.path.realpath(locate(root))
        if scope and not (scope.leads_to(root) or scope.covers(root)):
            continue
        if remote.is_remote(root):
            files = _walk_store(root, included, excluded)
        elif os.path.isdir(root):
            files = _walk_folder(root, included, excluded, folders, scope)
        else:
            files = iter([look_up(root, named=True)])
        for file in files:
            if file.path not in seen and (not below or is_below(file.path, below)):
                seen.add(file.path)
                yield file


class _Scope:
    """What a walk is limited to: some paths, and all that lies below them."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(paths)
        self._above = {str(above) for path in paths for above in PurePath(path).parents}

    def covers(self, path: str) -> bool:
        """Return whether a path is one of them or lies below one."""
        while path not in self._paths:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True

    def leads_to(self, path: str) -> bool:
        """Return whether a path is one of them or lies above one."""
        return path in self._paths or path in self._above


def is_skipped(name: str) -> bool:
    """Return whether a walk skips such a name: of what is hidden, or of a folder of the system."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def _walk_folder(
    root: str,
    glob: list[str],
    exclude: list[str],
    folders: set[tuple[int, int]],
    scope: "_Scope | None",
) -> Iterator[File]:
    if is_library(root):
        yield File(root, error="this is a library, not a folder of videos")
        return
    included = Patterns(glob, root)
    excluded = Patterns(exclude, root)
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
        limits = None if scope is None or scope.covers(folder) else scope
        deeper = []
        for entry in entries:
            if entry.name.startswith(".") or (limits and not limits.leads_to(entry.path)):
                continue
            if _is_folder(entry):
                skipped = is_skipped(entry.name) or excluded.match_name(entry.path)
                if not skipped and not is_library(entry.path):
                    deeper.append(entry.path)
            elif (not glob or included.match(entry.path)) and not excluded.match(entry.path):
                yield look_up(entry.path)
        pending += reversed(deeper)


def _walk_store(root: str, glob: list[str], exclude: list[str]) -> Iterator[File]:
    """Find what lies in an object store at `root`, by the rules of `walk`, with one listing."""
    try:
        single = remote.find_object(root)
        objects = remote.list_objects(root) if single is None else [single]
    except StoreError as error:
        if isinstance(error.__cause__, ImportError):
            raise
        yield File(root, named=True, error=str(error).removeprefix(f"{root}: "))
        return
    if single:
        yield File(root, single.size, single.modified, named=True)
        return
    names = [file.uri[len(root) + 1 :] for file in objects]
    included = Patterns(glob, root)
    excluded = Patterns(exclude, root)
    libraries = _find_libraries(names)
    if "" in libraries:
        yield File(root, error="this is a library, not a folder of videos")
        return
    for name, file in zip(names, objects, strict=True):
        folders = {str(folder) for folder in PurePosixPath(name).parents}
        *above, base = name.split("/")
        hidden = base.startswith(".") or any(map(is_skipped, above))
        if hidden or folders & libraries or excluded.match(file.uri):
            continue
        if not glob or included.match(file.uri):
            yield File(file.uri, file.size, file.modified)


def _find_libraries(names: Iterable[str]) -> set[str]:
    """Return the folders of some objects' names that are libraries; "" is the root of all."""
    tables: dict[str, set[str]] = {}
    for name in names:
        folder, log, _ = f"/{name}".rpartition("/_delta_log/")
        if log:
            library, _, table = folder.rpartition("/")
            tables.setdefault(library.lstrip("/"), set()).add(table)
    return {
        folder
        for folder, names_of_tables in tables.items()
        if names_of_tables >= {"videos", "frames"}
    }


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def look_up(path: str, named: bool = False) -> File:
    """Return a file at its real path, as the file system has it now."""
    resolved = os.path.realpath(path)
    try:
        facts = Path(resolved).stat()
    except OSError as error:
        return File(resolved, named=named, error=error.strerror or str(error))
    stored = stored_path(resolved)
    if stored != resolved and os.path.lexists(stored):
        reason = f"its name is stored as that of {os.path.basename(stored)} beside it: rename one"
        return File(resolved, named=named, error=reason)
    return File(resolved, facts.st_size, as_microseconds(facts.st_mtime_ns), named)
