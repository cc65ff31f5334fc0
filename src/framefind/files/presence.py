"""Presence: which files are there, which are gone, and which cannot be looked at right now.

*Cannot look* is not *gone*: a disk that is unplugged, a share that is not mounted or a folder that
may not be entered keeps its videos, which are offline. What tells them from deleted files are the
roots: the folders that `index` was given, and the mount points below them, each remembered with the
device that it was on.
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
from framefind.types import Offline, Video


@dataclass
class Absent:
    """Paths where nothing is found: files that are gone, and those that cannot be looked for."""

    gone: set[str] = field(default_factory=set)
    offline: dict[str, Offline] = field(default_factory=dict)

    def has_lost(self, video: Video) -> bool:
        """Whether all files of a video are gone."""
        return self.gone.issuperset(video.paths)

    def hides(self, video: Video) -> Offline | None:
        """Return why a video that is not lost has no file that can be looked at, if so."""
        left = [path for path in video.paths if path not in self.gone]
        hidden = [self.offline[path] for path in left if path in self.offline]
        return hidden[0] if left and len(hidden) == len(left) else None

    def roots(self, videos: Iterable[Video]) -> list[Offline]:
        """Return the folders that hide some of the videos, and how many each hides."""
        counts = Counter(hidden for video in videos if (hidden := self.hides(video)))
        return sorted(
            (replace(one, videos=count) for one, count in counts.items()), key=lambda one: one.root
        )


@dataclass(frozen=True)
class _Root:
    device: int
    named: bool  # by the user; others are dropped once a folder above them is named


class Presence:
    """What can be told of the files of a library, with its roots, which a file remembers.

    Where that file is lost, all is done with more caution (see `find_absent`).
    """

    def __init__(self, memory: Path, known: Collection[str]) -> None:
        """Read the roots from the file `memory`; `known` are all paths of the library."""
        self._memory, self._known = memory, known
        self._roots = _read(memory)

    def find_absent(self, paths: Iterable[str], stores: bool = True) -> Absent:
        """Find out which of some stored paths are gone or offline.

        What is not there is gone if its root is there, on the device that it was on, and holds
        something. Without a root, its folder must hold another video of the library. Objects are
        asked for only with `stores`; raises StoreError when a store does not answer.
        """
        absent, missing = Absent(), []
        asked = {*paths}
        uris = {path for path in asked if objects.is_remote(path)}
        for path in asked - uris:
            try:
                os.lstat(native_path(path))
            except (FileNotFoundError, NotADirectoryError):
                missing.append(path)
            except OSError as error:
                absent.offline[path] = _blocked(path, error)
        if uris and stores:
            absent.gone |= {uri for uri, known in objects.stat_objects(uris).items() if not known}
        states: dict[str, Offline | None] = {}
        beside = self._by_folder() if missing else {}
        for path in missing:
            root, folder = self._root_of(path), os.path.dirname(path)
            key = folder if root is None else root
            if key not in states:
                device = None if root is None else self._roots[root].device
                states[key] = _state(key, device, beside[folder])
            if hidden := states[key]:
                absent.offline[path] = hidden
            else:
                absent.gone.add(path)
        return absent

    def may_return(self, path: str) -> bool:
        """Whether a file that is not there may come back, with its disk, its share or its rights.

        For files that have turned up elsewhere: unlike `find_absent`, it takes them for moved when
        the folders that are missing were on a device that is still there.
        """
        try:
            os.lstat(native_path(path))
        except (FileNotFoundError, NotADirectoryError):
            root = self._root_of(path)
            return root is not None and _device(_nearest(root)) != self._roots[root].device
        except OSError:
            return True
        return False

    def learn(self, folders: Iterable[str], files: Iterable[str]) -> None:
        """Remember the roots of some files that are there: named folders, and mount points.

        A file in no root makes its folder one. Folders without files are not learned, such as the
        mount point of a disk that is missing.
        """
        inner = {os.path.dirname(path) for path in files if not objects.is_remote(path)}
        for folder in folders:
            if any(is_below(one, [folder]) for one in inner):
                for other in [one for one in self._roots if is_below(one, [folder])]:
                    if not self._roots[other].named and _device(other) == _device(folder):
                        del self._roots[other]
                self._set(folder, named=True)
        for folder in sorted(inner):
            root = self._root_of(os.path.join(folder, ""))
            if root is None:
                self._set(folder, named=False)
            elif _device(root) == _device(folder):
                self._set(root, self._roots[root].named)
            else:
                self._set(_mount_point(folder), named=False)

    def save(self) -> None:
        """Write the roots that hold videos; where they cannot be written, no harm is done."""
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

    def _root_of(self, path: str) -> str | None:
        """The innermost root that holds a path."""
        folder = os.path.dirname(path)
        while folder not in self._roots:
            above = os.path.dirname(folder)
            if above == folder:
                return None
            folder = above
        return folder

    def _by_folder(self) -> "defaultdict[str, list[str]]":
        """The library's local paths, by folder."""
        beside = defaultdict(list)
        for path in self._known:
            if not objects.is_remote(path):
                beside[os.path.dirname(path)].append(path)
        return beside


def _state(folder: str, device: int | None, known: Sequence[str]) -> Offline | None:
    """Why what is missing below a folder may come back; None if it is gone.

    `device` is the one that a root was on; of what is no root, one of the `known` paths in it must
    be there.
    """
    try:
        with os.scandir(native_path(folder)) as entries:
            held = any(not entry.name.startswith(".") for entry in entries)
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            return _blocked(os.path.join(folder, "*"), error)
        missing = folder if device is not None else _missing_part(folder)
        return Offline(missing, "it is not there")
    if not held:
        return Offline(folder, "it is empty")
    if device is not None and _device(folder) != device:
        return Offline(folder, "it is on another device than before")
    if device is None and not any(os.path.lexists(native_path(path)) for path in known):
        return Offline(folder, "it holds none of its videos")
    return None


def _blocked(path: str, error: OSError) -> Offline:
    """The outermost folder above a path that cannot be looked into."""
    place, above = path, os.path.dirname(path)
    while place != above and _device(above) is None:
        place, above = above, os.path.dirname(above)
    root = above if place == path or isinstance(error, PermissionError) else place
    return Offline(root, (error.strerror or str(error)).lower())


def _device(folder: str) -> int | None:
    """The device that a folder is on; None if it cannot be looked at."""
    try:
        return Path(native_path(folder)).stat().st_dev
    except OSError:
        return None


def _nearest(folder: str) -> str:
    """The folder, or the innermost one above it that is there."""
    while not os.path.lexists(native_path(folder)) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _missing_part(folder: str) -> str:
    """The outermost of the folders of a path that is not there."""
    while not os.path.lexists(native_path(os.path.dirname(folder))):
        folder = os.path.dirname(folder)
    return folder


def _mount_point(folder: str) -> str:
    """The outermost folder above that is on the same device."""
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
