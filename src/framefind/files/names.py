"""Paths: how names are stored, compared and matched.

A path is stored absolute, with links resolved; bytes of a name that are not UTF-8 are stored
percent-escaped. Objects in a store are files, too: their path is their URI. Names are compared in
Unicode's NFC form, since a Mac writes them in another one than people type; they are stored as the
file system has them.
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

_WILD = re.compile(r"[*?[]")
_DAY = 86_400_000_000  # microseconds
_FIRST, _LAST = -62_135_596_800_000_000 + _DAY, 253_402_300_800_000_000 - 2 * _DAY


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a real path is one of the `roots`, real paths too, or lies below one."""
    return any(path == root or path.startswith(os.path.join(root, "")) for root in roots)


def is_library(folder: str) -> bool:
    """Whether a folder is a framefind library."""
    return all(
        os.path.isdir(os.path.join(folder, table, "_delta_log")) for table in ("videos", "frames")
    )


class Patterns:
    """Patterns of files below a folder: paths, names of folders and files, globs.

    What exists as a path, or below the folder, is that path and all below it, whatever characters
    it has. Anything else is the name of a folder or file at any depth, or a glob, which is matched
    against the name, the path below the folder and the whole path.
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

    def name(self, path: str) -> bool:
        """Whether a path is one of those named, or lies below one, without looking at globs."""
        path, below = self._both(path)
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
        """Whether one of the patterns stands for a path."""
        if not self._names:
            return False
        whole, below = self._both(path)
        return self.name(path) or any(map(self._like, (whole, below, os.path.basename(whole))))

    def _both(self, path: str) -> tuple[str, str]:
        """The path and the path below the root."""
        path = comparison_form(path)
        return path, path.removeprefix(os.path.join(self._root, "")) if self._root else path


def match_path(path: str, patterns: Iterable[str], root: str = "") -> bool:
    """Whether one of the patterns stands for a path below `root`."""
    return Patterns(patterns, root).match(path)


def comparison_form(path: str) -> str:
    """Return a path or a name as it is compared with others: as it is stored, in NFC."""
    name = stored_path(path)
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def expand_glob(pattern: str, root: str = "") -> list[str]:
    """Return a glob as it is compared: as it is given, and with its folder as files are found.

    The folder is what comes before the first part with a wildcard that is not the name of anything,
    also below `root`.
    `~/v/*.mp4` is read as `/home/me/v/*.mp4`, and `link/*` as what the link leads to.
    """
    if pattern.endswith("/"):
        pattern += "*"
    parts = pattern.split("/")
    fixed = ""
    while len(parts) > 1:
        longer = f"{fixed}{parts[0]}/"
        here = os.path.expanduser(longer)
        if _WILD.search(parts[0]) and not any(map(os.path.lexists, (here, f"{root}/{longer}"))):
            break
        fixed = longer
        del parts[0]
    folders = [fixed]
    if fixed.strip("/"):
        folders.append(os.path.join(resolve_if_path(fixed), ""))
    rest = comparison_form("/".join(parts))
    return [_WILD.sub(r"[\g<0>]", comparison_form(folder)) + rest for folder in folders]


def compile_globs(globs: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a comparable path or name matches one of some globs."""
    like = re.compile(
        "|".join(fnmatch.translate(os.path.normcase(glob)) for glob in globs) or "(?!)"
    )
    return lambda name: like.match(os.path.normcase(name)) is not None


def resolve_if_path(path: str) -> str:
    """Return `resolved(path)`; what is no path at all as it is."""
    try:
        return resolve_path(path)
    except StoreError:
        return path


def resolve_path(path: str | os.PathLike[str]) -> str:
    """A path or a URI the way that files are found under: absolute, with links resolved.

    Raises StoreError for a URI of no store that is known.
    """
    name = objects.canonical_uri(os.fspath(path))
    return name if objects.is_remote(name) else os.path.realpath(locate(name))


def locate(path: str) -> str:
    """Return a path with `~` resolved, in the Unicode form in which it is there."""
    return _as_spelled(os.path.expanduser(path))


def _as_spelled(path: str) -> str:
    if path.isascii() or os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if folder and folder != path:
        folder = _as_spelled(folder)
    wanted = comparison_form(name)
    with suppress(OSError):
        name = next(
            (one for one in os.listdir(folder or ".") if comparison_form(one) == wanted), name
        )
    return os.path.join(folder, name)


def find_existing(paths: Iterable[str]) -> set[str]:
    """Those of some stored paths where something is.

    Objects are asked for together. Raises StoreError when a store cannot be asked.
    """
    files = {*paths}
    uris = {path for path in files if objects.is_remote(path)}
    found = {path for path in files - uris if os.path.lexists(native_path(path))}
    return (
        found | {uri for uri, known in objects.stat_objects(uris).items() if known}
        if uris
        else found
    )


def readable_first(paths: Sequence[str]) -> list[str]:
    """Return the stored paths of one video, first those that can be opened: it, then copies.

    Objects are taken to be there, not asked for.
    """
    if len(paths) < 2:
        return list(paths)
    return sorted(
        paths,
        key=lambda path: not (objects.is_remote(path) or os.access(native_path(path), os.R_OK)),
    )


def stat_path(path: str) -> tuple[int, int] | None:
    """Size and modified time of a stored path, as `File` has them; None if nothing is there."""
    if objects.is_remote(path):
        known = objects.stat_objects([path])[path]
        return (known.size, known.modified) if known else None
    try:
        found = Path(native_path(path)).stat()
    except OSError:
        return None
    return found.st_size, as_microseconds(found.st_mtime_ns)


def stored_path(path: str) -> str:
    """A path as it is stored: bytes that are not UTF-8 are percent-escaped."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path)


def native_path(path: str) -> str:
    """A stored path as the file system knows it."""
    if "%" not in path or objects.is_remote(path) or os.path.lexists(path):
        return path
    raw = re.sub("%([89A-F][0-9A-F])", lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
    return raw if os.path.lexists(raw) else path


def as_microseconds(nanoseconds: int) -> int:
    """A file's time, moved to where dates can be told: cameras and shares make up others."""
    return min(max(nanoseconds // 1000, _FIRST), _LAST)
