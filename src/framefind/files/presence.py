"""Tell which files exist, which are gone, and which cannot be looked at right now.

*Cannot look* is not *gone*: the videos of an unplugged disk, of a share that is not mounted or of a
folder without permission are kept, as offline. Roots tell them from deleted files: the folders that
`index` was given, and the mount points below them, each stored with the device that it was on.
"""

import contextlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from framefind.files import disk, objects
from framefind.files.names import is_below, native_path
from framefind.reports import Offline
from framefind.types import Video


@dataclass
class Absent:
    """Paths that do not exist: files that are gone, or cannot be looked at (offline)."""

    gone: set[str] = field(default_factory=set)
    offline: dict[str, Offline] = field(default_factory=dict)

    def has_lost(self, video: Video) -> bool:
        """Return whether all files of a video are gone."""
        return self.gone.issuperset(video.paths)

    def hides(self, video: Video) -> Offline | None:
        """Return why none of the files that a video has left can be looked at; else None."""
        remaining = [path for path in video.paths if path not in self.gone]
        hidden = [self.offline[path] for path in remaining if path in self.offline]
        return hidden[0] if remaining and len(hidden) == len(remaining) else None

    def roots(self, videos: Iterable[Video]) -> list[Offline]:
        """Return the offline folders, each with the number of these videos that it hides."""
        counts = Counter(hidden for video in videos if (hidden := self.hides(video)))
        folders = [replace(folder, videos=count) for folder, count in counts.items()]
        return sorted(folders, key=lambda folder: folder.root)


@dataclass(frozen=True)
class _Root:
    device: int
    named: bool  # by the user; other roots go when the user names a folder above them


class Presence:
    """Knows the roots of a library, stored in a file, and tells absent files apart by them.

    Without that file, fewer files count as gone (see `find_absent`).
    """

    def __init__(self, memory: Path, library_paths: Collection[str]) -> None:
        """Read the roots from the file `memory`; `library_paths` are all paths in the library."""
        self._memory = memory
        self._known = library_paths
        self._roots = _read(memory)

    def find_absent(self, paths: Iterable[str], stores: bool = True) -> Absent:
        """Return which of the stored paths are gone or offline.

        A file that does not exist is gone if its root exists, on the same device as before, and is
        not empty. If it has no root, its folder must hold another video of the library. Stores are
        asked only with `stores`; raises StoreError when one does not answer.
        """
        absent = Absent()
        missing = []
        every_path = {*paths}
        uris = {path for path in every_path if objects.is_remote(path)}
        for path in every_path - uris:
            try:
                os.lstat(native_path(path))
            except (FileNotFoundError, NotADirectoryError):
                missing.append(path)
            except OSError as error:
                absent.offline[path] = _blocked(path, error)
        if uris and stores:
            absent.gone |= {uri for uri, file in objects.stat_objects(uris).items() if not file}
        states: dict[str, Offline | None] = {}
        siblings = self._group_by_folder() if missing else {}
        for path in missing:
            root = self._find_root(path)
            folder = os.path.dirname(path)
            key = folder if root is None else root
            if key not in states:
                device = None if root is None else self._roots[root].device
                states[key] = _find_obstacle(key, device, siblings[folder])
            if hidden := states[key]:
                absent.offline[path] = hidden
            else:
                absent.gone.add(path)
        return absent

    def may_return(self, path: str) -> bool:
        """Return whether a missing file may come back: with its disk, its share or permissions.

        For files that turned up elsewhere: unlike `find_absent`, it takes them for moved if the
        missing folders were on a device that is still there.
        """
        try:
            os.lstat(native_path(path))
        except (FileNotFoundError, NotADirectoryError):
            root = self._find_root(path)
            return root is not None and _device(_nearest_existing(root)) != self._roots[root].device
        except OSError:
            return True
        return False

    def learn(self, folders: Iterable[str], files: Iterable[str]) -> None:
        """Add the roots of existing files: the folders that the user named, and mount points.

        A file below no root makes its folder one. Folders without files are left out, such as the
        mount point of a missing disk.
        """
        inner = {os.path.dirname(path) for path in files if not objects.is_remote(path)}
        for folder in folders:
            if any(is_below(path, [folder]) for path in inner):
                for inner_root in [root for root in self._roots if is_below(root, [folder])]:
                    if not self._roots[inner_root].named and _device(inner_root) == _device(folder):
                        del self._roots[inner_root]
                self._set(folder, named=True)
        for folder in sorted(inner):
            root = self._find_root(os.path.join(folder, ""))
            if root is None:
                self._set(folder, named=False)
            elif _device(root) == _device(folder):
                self._set(root, self._roots[root].named)
            else:
                self._set(_mount_point(folder), named=False)

    def save(self) -> None:
        """Write the roots that hold videos; failing to is harmless."""
        content = {
            root: vars(self._roots[root])
            for root in sorted(self._roots)
            if any(is_below(path, [root]) for path in self._known)
        }
        with contextlib.suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(self._memory, json.dumps(content).encode())

    def _set(self, root: str, named: bool) -> None:
        device = _device(root)
        if device is not None:
            self._roots[root] = _Root(device, named)

    def _find_root(self, path: str) -> str | None:
        """Return the innermost root above a path."""
        folder = os.path.dirname(path)
        while folder not in self._roots:
            above = os.path.dirname(folder)
            if above == folder:
                return None
            folder = above
        return folder

    def _group_by_folder(self) -> "defaultdict[str, list[str]]":
        """Return the library's local paths, by folder."""
        siblings = defaultdict(list)
        for path in self._known:
            if not objects.is_remote(path):
                siblings[os.path.dirname(path)].append(path)
        return siblings


def _find_obstacle(folder: str, device: int | None, siblings: Sequence[str]) -> Offline | None:
    """Return why the files missing below a folder may come back, or None if they are gone.

    `device` is the one that the root was on; None if the folder is no root: then one of the
    `siblings`, the library's other paths in it, must exist.
    """
    try:
        with os.scandir(native_path(folder)) as entries:
            is_filled = any(not entry.name.startswith(".") for entry in entries)
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            return _blocked(os.path.join(folder, "*"), error)
        missing = folder if device is not None else _missing_part(folder)
        return Offline(missing, "it is not there")
    if not is_filled:
        return Offline(folder, "it is empty")
    if device is not None and _device(folder) != device:
        return Offline(folder, "it is on another device than before")
    if device is None and not any(os.path.lexists(native_path(path)) for path in siblings):
        return Offline(folder, "it holds none of its videos")
    return None


def _blocked(path: str, error: OSError) -> Offline:
    """Return the outermost folder above a path that cannot be read, and the reason."""
    place = path
    above = os.path.dirname(path)
    while place != above and _device(above) is None:
        place = above
        above = os.path.dirname(above)
    root = above if place == path or isinstance(error, PermissionError) else place
    return Offline(root, (error.strerror or str(error)).lower())


def _device(folder: str) -> int | None:
    """Return the device that a folder is on; None if it cannot be read."""
    try:
        return Path(native_path(folder)).stat().st_dev
    except OSError:
        return None


def _nearest_existing(folder: str) -> str:
    """Return the folder, or the innermost existing one above it."""
    while not os.path.lexists(native_path(folder)) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _missing_part(folder: str) -> str:
    """Return the outermost folder of a path that does not exist."""
    while not os.path.lexists(native_path(os.path.dirname(folder))):
        folder = os.path.dirname(folder)
    return folder


def _mount_point(folder: str) -> str:
    """Return the outermost folder above, or the folder itself, on the same device."""
    while _device(os.path.dirname(folder)) == _device(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _read(memory: Path) -> dict[str, _Root]:
    try:
        content = json.loads(memory.read_text("utf-8"))
        return {
            root: _Root(int(facts["device"]), bool(facts["named"]))
            for root, facts in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
