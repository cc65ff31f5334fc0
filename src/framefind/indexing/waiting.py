"""Files that have changed and wait until they are complete."""

import threading
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from framefind.files.names import is_below, stored_path
from framefind.files.objects import is_remote
from framefind.indexing.walk import File, look_up
from framefind.video.extent import is_closed

_Stamp = tuple[int, int]


@dataclass
class _Candidate:
    file: File
    since: float  # when it was first seen as it is
    is_ready: bool = False
    has_changed: bool = False  # since it was first seen at all


class Waiting:
    """Files by path, each given out once as it is; several threads may use it.

    A file is complete when size and modified time have rested for `settle` seconds and nothing
    shows that its container is unfinished, or when they have rested for `patience` seconds. What
    lies in an object store is complete.
    """

    def __init__(
        self, settle: float, patience: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settle = settle
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._candidates: dict[str, _Candidate] = {}
        self._given: dict[str, _Stamp] = {}

    def __len__(self) -> int:
        """Return how many files wait."""
        return len(self._candidates)

    def add(self, file: File, again: bool = False) -> bool:
        """Let a file wait unless it was given out as it is; return whether it is new or changed.

        With `again` it is given out once more: something beside it has changed.
        """
        if file.error is not None:
            return False
        with self._lock:
            if again:
                self._given.pop(file.path, None)
            if self._given.get(file.path) == _stamp(file):
                return False
            candidate = self._candidates.get(file.path)
            if candidate and _stamp(candidate.file) == _stamp(file):
                return False
            has_changed = candidate is not None or file.path in self._given
            self._candidates[file.path] = _Candidate(file, self._clock(), has_changed=has_changed)
            return True

    def check(self) -> bool:
        """Look at the files that wait; return whether some have become complete."""
        fresh = False
        for path, candidate in list(self._candidates.items()):
            if candidate.is_ready:
                continue
            file = candidate.file if is_remote(path) else look_up(path)
            with self._lock:
                if self._candidates.get(path) is not candidate:
                    continue
                if file.error is not None:  # gone: an event, or a sweep, tells if it comes back
                    del self._candidates[path]
                elif _stamp(file) != _stamp(candidate.file):
                    self._candidates[path] = _Candidate(file, self._clock(), has_changed=True)
                elif self._is_complete(candidate):
                    candidate.is_ready = fresh = True
        return fresh

    def take(self) -> list[File]:
        """Give out all complete files, the smallest first."""
        with self._lock:
            ready = [
                candidate.file for candidate in self._candidates.values() if candidate.is_ready
            ]
            for file in ready:
                del self._candidates[file.path]
                self._given[file.path] = _stamp(file)
        return sorted(ready, key=lambda file: (file.size, file.path))

    def give_back(self, files: Iterable[File]) -> None:
        """Take complete files back that were given out and not done."""
        with self._lock:
            for file in files:
                self._given.pop(file.path, None)
                self._candidates.setdefault(file.path, _Candidate(file, self._clock(), True))

    def forget(self, paths: Iterable[str]) -> None:
        """Forget that files, by stored path, were given out: the next sweep brings them again."""
        failed = set(paths)
        with self._lock:
            for path in [path for path in self._given if stored_path(path) in failed]:
                del self._given[path]

    def forget_gone(self, roots: Iterable[str], present: Container[str]) -> list[str]:
        """Forget files below some roots that were given out and are not `present`; return them."""
        roots = list(roots)
        with self._lock:
            gone = [path for path in self._given if path not in present and is_below(path, roots)]
            for path in gone:
                del self._given[path]
        return gone

    def _is_complete(self, candidate: _Candidate) -> bool:
        file = candidate.file
        if is_remote(file.path):
            return True
        rested = self._clock() - candidate.since
        if rested < self._settle:
            return False
        if not candidate.has_changed:  # it may have rested before; else a clock may be wrong
            rested = max(rested, time.time() - file.modified / 1e6)
        return rested >= self._patience or is_closed(file.path, file.size)


def _stamp(file: File) -> _Stamp:
    return file.size, file.modified
