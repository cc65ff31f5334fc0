"""One video in parts that several decoders take, and whose frames leave in order of time."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from framefind.indexing.walk import File
from framefind.video.samplers import Sampler

LENGTH = 30.0
"""Seconds of a part, at least: enough for a few groups of pictures and a batch of frames."""

_FRAMES = 32  # of `every` that a part should have
_LONGEST = 600.0
_HELD = 128  # frames of one part that wait for those before them

FrameT = TypeVar("FrameT")


@dataclass(frozen=True)
class Part:
    """The frames from `start` until before `end`, in seconds."""

    number: int
    start: float
    end: float


class Parts(Generic[FrameT]):
    """The parts of one video from `start` on, cut at `cuts`; thread-safe.

    Frames go to `put` in the order of parts; those of a part that is not yet due are held, up to a
    limit. `finish` is called once, with what could not be decoded and whether that ended it.
    """

    def __init__(
        self,
        file: File,
        video_id: str,
        start: float,
        cuts: Sequence[float],
        put: Callable[[FrameT], None],
        finish: Callable[[str | None, bool], None],
    ) -> None:
        self.file, self.video_id = file, video_id
        borders = [start, *(cut for cut in cuts if cut > start), math.inf]
        self._left = [Part(i, *borders[i : i + 2]) for i in range(len(borders) - 1)]
        self.count = len(self._left)
        self._put, self._finish = put, finish
        self._change = threading.Condition()
        self._due = 0
        self._held: dict[int, list[FrameT]] = {}
        self._ended: dict[int, tuple[str | None, bool]] = {}
        self._trouble: str | None = None
        self.closed = False
        self.duration: float | None = None
        """Seconds of the video, as far as they are known by now."""
        self.broken_off = False
        """Whether a part could not be read from its store."""

    @property
    def taken(self) -> bool:
        """Whether there is no part left to take."""
        return self.closed or not self._left

    def take(self) -> Part | None:
        """The next part that nobody decodes, if any."""
        with self._change:
            return self._left.pop(0) if self._left and not self.closed else None

    def add(self, part: Part, frame: FrameT) -> None:
        """Pass a frame on, or hold it until its part is due."""
        with self._change:
            held = self._held.setdefault(part.number, [])
            while part.number != self._due and len(held) >= _HELD and not self.closed:
                self._change.wait()
            if self.closed:
                return
            if part.number != self._due:
                held.append(frame)
                return
        self._put(frame)  # nobody else's turn comes before this part has ended

    def end(self, part: Part, trouble: str | None, failed: bool) -> None:
        """A part is decoded, or has failed: then nothing of what follows it counts."""
        with self._change:
            self._ended[part.number] = trouble, failed
            while not self.closed and self._due in self._ended:
                reason, broken = self._ended.pop(self._due)
                self._trouble = self._trouble or reason
                self._due += 1
                if broken or self._due == self.count:
                    self.closed = True
                    self._finish(reason if broken else self._trouble, broken)
                else:
                    for frame in self._held.pop(self._due, []):
                        self._put(frame)
            self._change.notify_all()

    def close(self) -> None:
        """Give up: nobody waits any longer."""
        with self._change:
            self.closed = True
            self._change.notify_all()


def part_length(sampler: Sampler) -> float | None:
    """Return how long the parts of a video should be in seconds; None if it should stay whole."""
    if not sampler.splittable:
        return None
    return min(max(LENGTH, _FRAMES * sampler.spacing), _LONGEST)
