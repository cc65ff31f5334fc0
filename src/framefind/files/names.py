"""Paths: how names are stored, compared and matched.

A path is stored absolute, with links resolved; bytes that are not UTF-8 are percent-escaped. The
path of an object in a store is its URI. Names are stored as the file system has them, but compared
in Unicode's NFC form, because macOS writes names in another form than people type.
"""

import fnmatch
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from framefind.errors import StoreError
from framefind.files import objects

_WILDCARD = re.compile(r"[*?[]")
_DAY = 86_400_000_000  # microseconds
_MIN_MODIFIED = -62_135_596_800_000_000 + _DAY  # microseconds since 1970: year 1
_MAX_MODIFIED = 253_402_300_800_000_000 - 2 * _DAY  # year 9999


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Return whether a real path is one of the `roots`, also real paths, or lies below one."""
    return any(path == root or path.startswith(os.path.join(root, "")) for root in roots)


def is_library(folder: str) -> bool:
    """Return whether a folder is a framefind library."""
    return all(
        os.path.isdir(os.path.join(folder, table, "_delta_log")) for table in ("videos", "frames")
    )


class Patterns:
    """Matches files below a folder against paths, names of folders and files, and globs.

    A pattern that exists as a path, absolute or below the folder, stands for that path and all
    below it, whatever characters it has. Any other pattern is the name of a folder or file at any
    depth, or a glob, which is matched against the name, the path below the folder and the whole
    path.
    """

    def __init__(self, patterns: Iterable[str], root: str = "") -> None:
        """Read patterns; `root` is a real path or a URI, and may be empty."""
        self._root = comparison_form(root)
        self._names: list[tuple[str, str]] = []
        globs: list[str] = []
        for pattern in patterns:
            name = pattern if objects.is_remote(pattern) else os.path.normpath(pattern)
            whole = resolve_if_path(pattern)
            self._names.append((comparison_form(name), comparison_form(whole)))
            if not (os.path.lexists(whole) or (root and os.path.lexists(os.path.join(root, name)))):
                globs += expand_glob(pattern, root)
        self._like = compile_globs(globs)

    def match_name(self, path: str) -> bool:
        """Return whether a path is one of the patterns or lies below one; globs are ignored."""
        path, below = self._split(path)
        parts = below.split("/") if self._root else [os.path.basename(path)]
        return any(
            path == whole
            or path.startswith(os.path.join(whole, ""))
            or below == name
            or below.startswith(os.path.join(name, ""))
            or name in parts
            for name, whole in self._names
        )

    def match(self, path: str) -> bool:
        """Return whether one of the patterns stands for a path."""
        if not self._names:
            return False
        whole, below = self._split(path)
        return self.match_name(path) or any(
            map(self._like, (whole, below, os.path.basename(whole)))
        )

    def _split(self, path: str) -> tuple[str, str]:
        """Return the path, and the path below the root, both as they are compared."""
        path = comparison_form(path)
        return path, path.removeprefix(os.path.join(self._root, "")) if self._root else path


def comparison_form(path: str) -> str:
    """Return a path or a name as it is compared with others: as it is stored, in NFC."""
    name = stored_path(path)
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def expand_glob(pattern: str, root: str = "") -> list[str]:
    """Return the globs to compare with: the given one, and one with its folder resolved.

    `~/v/*.mp4` becomes `/home/me/v/*.mp4`, and `link/*` the folder that the link leads to. The
    folder ends before the first part that has a wildcard and does not exist by that name, neither
    here nor below `root`.
    """
    if pattern.endswith("/"):
        pattern += "*"
    parts = pattern.split("/")
    fixed = ""
    while len(parts) > 1:
        longer = f"{fixed}{parts[0]}/"
        here = os.path.expanduser(longer)
        if _WILDCARD.search(parts[0]) and not any(map(os.path.lexists, (here, f"{root}/{longer}"))):
            break
        fixed = longer
        del parts[0]
    folders = [fixed]
    if fixed.strip("/"):
        folders.append(os.path.join(resolve_if_path(fixed), ""))
    remainder = comparison_form("/".join(parts))
    return [_WILDCARD.sub(r"[\g<0>]", comparison_form(folder)) + remainder for folder in folders]


def compile_globs(globs: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a path, in comparison form, matches one of the globs."""
    like = re.compile(
        "|".join(fnmatch.translate(os.path.normcase(glob)) for glob in globs) or "(?!)"
    )
    return lambda name: like.match(os.path.normcase(name)) is not None


def resolve_if_path(path: str) -> str:
    """Return the resolved path, or the text itself where it cannot be a path."""
    try:
        return resolve_path(path)
    except StoreError:
        return path


def resolve_path(path: str | os.PathLike[str]) -> str:
    """Return a path or URI as the walk of folders yields it: absolute, with links resolved.

    Raises StoreError for a URI of an unknown kind of store.
    """
    name = objects.canonical_uri(os.fspath(path))
    return name if objects.is_remote(name) else os.path.realpath(locate(name))


def locate(path: str) -> str:
    """Return a path with `~` expanded, in the Unicode form that the file system has it in."""
    return _as_spelled(os.path.expanduser(path))


def _as_spelled(path: str) -> str:
    if path.isascii() or os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if folder and folder != path:
        folder = _as_spelled(folder)
    form = comparison_form(name)
    with suppress(OSError):
        name = next(
            (entry for entry in os.listdir(folder or ".") if comparison_form(entry) == form), name
        )
    return os.path.join(folder, name)


def find_existing(paths: Iterable[str]) -> set[str]:
    """Return those of the stored paths that exist.

    Each store is asked once for all of its objects. Raises StoreError when one does not answer.
    """
    local = {path for path in paths if not objects.is_remote(path)}
    uris = {*paths} - local
    existing = {path for path in local if os.path.lexists(native_path(path))}
    if uris:
        existing |= {uri for uri, file in objects.stat_objects(uris).items() if file}
    return existing


def readable_first(paths: Sequence[str]) -> list[str]:
    """Return the stored paths of one video with the readable ones first, else in their order.

    Objects in stores count as readable; the stores are not asked.
    """
    if len(paths) < 2:
        return list(paths)
    return sorted(
        paths,
        key=lambda path: not (objects.is_remote(path) or os.access(native_path(path), os.R_OK)),
    )


def openable_path(paths: Sequence[str]) -> str:
    """Return the path, as this system writes it, at which one video of these can be opened."""
    return native_path(readable_first(paths)[0])


def stat_path(path: str) -> tuple[int, int] | None:
    """Return size (bytes) and modified time (microseconds since 1970) of a stored path, or None.

    Raises StoreError when a store does not answer.
    """
    if objects.is_remote(path):
        file = objects.stat_objects([path])[path]
        return (file.size, file.modified) if file else None
    try:
        status = Path(native_path(path)).stat()
    except OSError:
        return None
    return status.st_size, as_microseconds(status.st_mtime_ns)


def stored_path(path: str) -> str:
    """Return a path as it is stored: bytes that are not UTF-8 are percent-escaped."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path)


def native_path(path: str) -> str:
    """Return a stored path as the file system has it."""
    if "%" not in path or objects.is_remote(path) or os.path.lexists(path):
        return path
    raw = re.sub("%([89A-F][0-9A-F])", lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
    return raw if os.path.lexists(raw) else path


def as_microseconds(nanoseconds: int) -> int:
    """Return a file's time in microseconds, limited to the years that a date can have.

    Some cameras and network shares write times far outside them.
    """
    return min(max(nanoseconds // 1000, _MIN_MODIFIED), _MAX_MODIFIED)
