"""Samplers: which frames of a video are looked at.

`every=S` takes of each interval of S seconds the first frame that begins in it, and where none
begins, the frame that stands there, each once. `count=N` takes the frames that stand at N times
spread evenly over the video (`count=N,random=SEED`: N frames at random), `keyframes` the frames
that decode on their own, and `shots` the first frame of every shot, as well as what stands after a
change. Whatever the sampler, a video gives at least one frame.
"""

import math
import random
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.errors import UsageError

WINDOW = 2
"""How many changes on either side a change is compared with to be a cut."""

_RATIO = 3.0  # PySceneDetect's thresholds
_CHANGE = 15.0
_STANDS = 5.0  # seconds that a frame stands to be taken for a page of its own
_PAGE = 0.5  # the least mean difference between two pages
_ROUNDING = 1e-6  # of an interval: 0.3 / 0.1 is a little less than 3


class Timed(Protocol):
    """Anything that is shown at a time, in seconds."""

    @property
    def t(self) -> float: ...  # noqa: D102


class Seen(Timed, Protocol):
    """Anything that is shown at a time and has a look: a small uint8 picture of fixed shape."""

    def look(self) -> NDArray[np.uint8]: ...  # noqa: D102


TimedT = TypeVar("TimedT", bound=Timed)
SeenT = TypeVar("SeenT", bound=Seen)


@dataclass(frozen=True)
class Sampler:
    """Which frames are looked at; `name` is the canonical text that the library stores.

    `interval` is in seconds and belongs to `every`, `count` and `seed` belong to `count`.
    """

    name: str
    kind: Literal["every", "count", "keyframes", "shots"]
    interval: float = 0.0
    count: int = 0
    seed: int | None = None

    @classmethod
    def parse(cls, name: str) -> "Sampler":
        """Read `every=S`, `count=N`, `count=N,random=SEED`, `keyframes` or `shots`.

        Raises UsageError for anything else.
        """
        name = str(name)
        if name == "keyframes":
            return cls("keyframes", "keyframes")
        if name == "shots":
            return cls("shots", "shots")
        if match := re.fullmatch(r"every=(\d+(?:\.\d*)?|\.\d+)", name):
            interval = float(match[1])
            if 0.001 <= interval < 1e9:
                return cls(f"every={interval}", "every", interval=interval)
        if match := re.fullmatch(r"count=(\d{1,9})(?:,random=(\d{1,18}))?", name):
            count, seed = int(match[1]), None if match[2] is None else int(match[2])
            suffix = "" if seed is None else f",random={seed}"
            if count:
                return cls(f"count={count}{suffix}", "count", count=count, seed=seed)
        raise UsageError(
            f"sampler {name!r}: use every=SECONDS (0.001 or more), count=N, count=N,random=SEED, "
            "keyframes or shots"
        )


def every(
    frames: Iterable[TimedT],
    interval: float,
    before: float = -math.inf,
    stands: Callable[[TimedT], bool] = lambda frame: False,
) -> Iterator[TimedT]:
    """Yield of each interval the first frame that begins in it, else the one that stands there.

    Interval k lasts from k × `interval` until before (k + 1) × `interval` seconds. Each frame
    comes once, and the very first one always. Whether a frame is taken depends on the times of its
    neighbours only, so that a pass may start and end anywhere: `before` is the time of the frame
    before `frames`, and `stands` tells of the last of them whether it stands over an interval.
    """
    previous = slot(before, interval) if before > -math.inf else None
    spare: TimedT | None = None  # the frame before, if it is not the first of its interval
    for frame in frames:
        current = slot(frame.t, interval)
        if spare is not None and previous is not None and current > previous + 1:
            yield spare
        spare = frame
        if previous is None or current > previous:
            yield frame
            spare = None
        previous = current
    if spare is not None and stands(spare):
        yield spare


def slot(t: float, interval: float) -> int:
    """The number of the last multiple of `interval` at or before `t`."""
    return math.floor(t / interval + _ROUNDING)


def spread(
    times: Sequence[float], count: int, seed: int | None = None, end: float = -math.inf
) -> list[float]:
    """Choose up to `count` of the ascending `times` of a video's frames; `end` is the video's.

    Without a seed, the frames that stand in the middle of `count` equal parts of the video, each
    once; with one, frames at random, each as likely as any other.
    """
    if count >= len(times):
        return list(times)
    if seed is not None:
        return sorted(random.Random(seed).sample(times, count))
    # The last frame lasts as long as the others do on average, unless it stands for a whole part.
    part = (times[-1] - times[0]) * len(times) / (len(times) - 1) / count
    if end > times[-1] + part:
        part = (end - times[0]) / count
    middles = (times[0] + part * (i + 0.5) for i in range(count))
    return sorted({times[bisect_right(times, middle) - 1] for middle in middles})


def shots(
    frames: Iterable[SeenT], end: Callable[[SeenT], float] = lambda frame: frame.t
) -> Iterator[SeenT]:
    """The first frame of every shot, and what stands after a change; the very first frame always.

    A frame begins a shot when it differs from the frame before it by much, and by much more than
    its neighbours differ from theirs, which tells a cut from motion: the idea of PySceneDetect's
    AdaptiveDetector, applied to the mean difference of small pictures. The pictures around a cut
    must stay different, too, which tells it from a flash. A page that comes by a cross-fade is
    known by standing still: its frame is shown for seconds. Whether a frame is taken depends on
    `WINDOW` + 1 frames before and `WINDOW` after it; no more are kept. `end` tells of the last one
    until when it is shown.
    """
    near: deque[_Step[SeenT]] = deque(maxlen=2 * WINDOW + 2)
    for frame in frames:
        look = frame.look().astype(np.int16)
        near.append(_Step(frame, look, _difference(look, near[-1].look) if near else 0.0))
        if len(near) == 1:
            yield frame
        elif len(near) > WINDOW + 1:
            i = len(near) - 1 - WINDOW
            if _is_cut(list(near), i) or _is_page(list(near), i, near[i + 1].frame.t):
                yield near[i].frame
    for i in range(max(1, len(near) - WINDOW), len(near)):  # these have fewer after them
        until = near[i + 1].frame.t if i + 1 < len(near) else end(near[i].frame)
        if _is_cut(list(near), i) or _is_page(list(near), i, until):
            yield near[i].frame


class _Step(NamedTuple, Generic[SeenT]):
    frame: SeenT
    look: NDArray[np.int16]
    change: float  # from the frame before


def _is_cut(steps: list[_Step[SeenT]], i: int) -> bool:
    change, first, last = steps[i].change, max(0, i - 1 - WINDOW), min(len(steps) - 1, i + WINDOW)
    others = [steps[j].change for j in range(first + 1, last + 1) if j != i]
    usual = sum(others) / len(others) if others else 0.0
    return (
        change >= max(_CHANGE, _RATIO * usual)
        and _difference(steps[last].look, steps[i - 1].look) >= _CHANGE
        and _difference(steps[i].look, steps[first].look) >= _CHANGE
    )


def _is_page(steps: list[_Step[SeenT]], i: int, until: float) -> bool:
    """Whether a frame that is shown until then stands, and is not what stood before."""
    if until - steps[i].frame.t < _STANDS:
        return False
    before = max(0, i - 1 - WINDOW)
    for j in range(before + 1, i):
        if steps[j + 1].frame.t - steps[j].frame.t >= _STANDS:
            before = j
    return _difference(steps[i].look, steps[before].look) >= _PAGE


def _difference(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    return float(np.abs(one - other).mean())
