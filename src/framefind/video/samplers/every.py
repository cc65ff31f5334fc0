"""`every=S`: of each interval of S seconds the first frame that begins in it.

Where none begins, the frame that stands there. Each frame comes once.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import TYPE_CHECKING, ClassVar, Self

from framefind.video.samplers.base import FrameSource, Sampler, Selection, TimedT

if TYPE_CHECKING:
    from framefind.video.frame import Frame

MIN_INTERVAL, MAX_INTERVAL = 0.001, 1e9
"""Bounds of an interval in seconds; the upper one is not reached."""

_MAX_INTERVALS = 8
"""How many intervals a selection remembers: packets come a little out of order."""

_ROUNDING = 1e-6
"""The share of an interval by which a time may fall short of it: 0.3 / 0.1 is less than 3."""


@dataclass(frozen=True)
class Every(Sampler):
    """Take the first frame of each interval of `interval` seconds."""

    interval: float

    usage: ClassVar[str] = "every=SECONDS (0.001 or more)"
    splittable: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Return `every=S`."""
        return f"every={self.interval}"

    @property
    def spacing(self) -> float:
        """Return the interval."""
        return self.interval

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read `every=S`, without sign or exponent."""
        match = re.fullmatch(r"every=(\d+(?:\.\d*)?|\.\d+)", name)
        if not match or not MIN_INTERVAL <= float(match[1]) < MAX_INTERVAL:
            return None
        return cls(float(match[1]))

    def sample(self, video: FrameSource, start: float, end: float) -> "Iterator[Frame]":
        """Yield the frames; of the packets, only those that show or make up one are decoded."""
        selection = FirstOfEachInterval(
            start if start > 0 else -math.inf, end, interval=self.interval
        )
        frames = (frame for frame in video.read_selected(selection) if frame.t >= selection.start)
        first = next(frames, None)  # once it is here, the time of the frame before it is known
        if first is None:
            return iter(())

        def stands(last: "Frame") -> bool:
            if last.t < selection.last:  # the last one was not decoded, since it does not stand
                return False
            if selection.after < math.inf:
                following = interval_number(selection.after, self.interval)
                return following > interval_number(last.t, self.interval) + 1
            return not video.damage and video.end(last) - last.t > self.interval

        inside = takewhile(lambda frame: frame.t < end, chain([first], frames))
        return first_of_each_interval(inside, self.interval, selection.before, stands)

    def estimate_frames(self, seconds: float) -> int:
        """Return the number of intervals."""
        return max(1, math.ceil(seconds / self.interval))


@dataclass
class FirstOfEachInterval(Selection):
    """Select packets as `first_of_each_interval` does frames.

    A frame is spare once an earlier one of its interval has come, unless it `stands`.
    """

    sees_end: ClassVar[bool] = True

    interval: float = 1.0
    _intervals: dict[int, tuple[float, float]] = field(default_factory=dict)
    """The first and the last time in each of the latest intervals."""

    def takes(self, t: float) -> bool:
        """Return whether no earlier frame of its interval has come."""
        number = interval_number(t, self.interval)
        first, last = self._intervals.get(number, (math.inf, -math.inf))
        self._intervals[number] = min(first, t), max(last, t)
        if len(self._intervals) > _MAX_INTERVALS:
            del self._intervals[next(iter(self._intervals))]
        return t <= first

    def stands(self, t: float, later: Iterable[float], until: float) -> bool:
        """Return whether a spare frame stands over a whole interval in which no frame begins."""
        if not self.start <= t < self.end:
            return False
        following = interval_number(t, self.interval) + 1
        if following in self._intervals or self._intervals[following - 1][1] > t:
            return False
        is_last = max(last for _, last in self._intervals.values()) <= t
        for t_later in later:
            if t_later > t and interval_number(t_later, self.interval) <= following:
                return False
            is_last = is_last and t_later <= t
        return not is_last or until - t > self.interval


def first_of_each_interval(
    frames: Iterable[TimedT],
    interval: float,
    before: float = -math.inf,
    stands: Callable[[TimedT], bool] = lambda frame: False,
) -> Iterator[TimedT]:
    """Yield of each interval the first frame that begins in it, else the one that stands there.

    Interval k lasts from k × `interval` until before (k + 1) × `interval` seconds. Each frame
    comes once, and the very first one always. Whether a frame is taken depends on the times of its
    neighbours only, so that a pass may start and end anywhere: `before` is the time of the frame
    before `frames`, and `stands` tells whether the last of them stands over an interval.
    """
    previous = interval_number(before, interval) if before > -math.inf else None
    spare: TimedT | None = None  # the frame before, if it is not the first of its interval
    for frame in frames:
        current = interval_number(frame.t, interval)
        if spare is not None and previous is not None and current > previous + 1:
            yield spare
        spare = frame
        if previous is None or current > previous:
            yield frame
            spare = None
        previous = current
    if spare is not None and stands(spare):
        yield spare


def interval_number(t: float, interval: float) -> int:
    """Return the number of the interval in which `t` lies; the first one is 0."""
    return math.floor(t / interval + _ROUNDING)
