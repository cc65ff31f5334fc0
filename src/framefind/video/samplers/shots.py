"""`shots`: the first frame of every shot, and frames that stand after a slow change.

A frame begins a shot when it differs from the frame before it by much, and by much more than its
neighbours differ from theirs, which tells a cut from motion: the idea of PySceneDetect's
AdaptiveDetector, applied to the mean difference of small pictures. The pictures around a cut must
stay different, too, which tells it from a flash. A page that comes by a cross-fade is recognised
because it stands: its frame is shown for seconds.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.video.samplers.base import FrameSource, Sampler, Timed

if TYPE_CHECKING:
    from framefind.video.frame import Frame

WINDOW = 2
"""How many changes on either side a change is compared with to be a cut."""

_MIN_RATIO = 3.0  # of a cut's change to the mean of its neighbours' (PySceneDetect's threshold)
_MIN_CHANGE = 15.0  # mean difference of a cut, of 255 (PySceneDetect's threshold)
_MIN_PAGE_SECONDS = 5.0  # that a frame stands to be taken for a page of its own
_MIN_PAGE_CHANGE = 0.5  # mean difference of two pages, of 255
_TYPICAL_SECONDS = 5.0  # of a shot, for estimates


class Visible(Timed, Protocol):
    """Anything that is shown at a time and has a look: a small uint8 picture of fixed shape."""

    def look(self) -> NDArray[np.uint8]: ...  # noqa: D102


VisibleT = TypeVar("VisibleT", bound=Visible)


@dataclass(frozen=True)
class Shots(Sampler):
    """Take the first frame of every shot."""

    usage: ClassVar[str] = "shots"

    @property
    def name(self) -> str:
        """Return `shots`."""
        return "shots"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read `shots`."""
        return cls() if name == "shots" else None

    def sample(self, video: FrameSource, start: float, end: float) -> "Iterator[Frame]":
        """Yield the frames; all are decoded and compared."""
        return first_of_each_shot(video.read_from(start, WINDOW + 1), video.end)

    def estimate_frames(self, seconds: float) -> int:
        """Guess by the length of a typical shot."""
        return max(1, math.ceil(seconds / _TYPICAL_SECONDS))


def first_of_each_shot(
    frames: Iterable[VisibleT], end: Callable[[VisibleT], float] = lambda frame: frame.t
) -> Iterator[VisibleT]:
    """Yield the first frame of every shot, and what stands after a change; the first frame always.

    Whether a frame is taken depends on `WINDOW` + 1 frames before it and `WINDOW` after it; no more
    are kept. `end` tells until when the last frame is shown.
    """
    near: deque[_Step[VisibleT]] = deque(maxlen=2 * WINDOW + 2)
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


class _Step(NamedTuple, Generic[VisibleT]):
    """A frame, its look, and the mean difference to the look of the frame before."""

    frame: VisibleT
    look: NDArray[np.int16]
    change: float


def _is_cut(steps: list[_Step[VisibleT]], i: int) -> bool:
    """Tell whether step `i` differs enough from what is before it, and stays different."""
    change = steps[i].change
    first = max(0, i - 1 - WINDOW)
    last = min(len(steps) - 1, i + WINDOW)
    others = [steps[j].change for j in range(first + 1, last + 1) if j != i]
    usual = sum(others) / len(others) if others else 0.0
    return (
        change >= max(_MIN_CHANGE, _MIN_RATIO * usual)
        and _difference(steps[last].look, steps[i - 1].look) >= _MIN_CHANGE
        and _difference(steps[i].look, steps[first].look) >= _MIN_CHANGE
    )


def _is_page(steps: list[_Step[VisibleT]], i: int, until: float) -> bool:
    """Tell whether step `i`, shown until then, stands and differs from what stood before."""
    if until - steps[i].frame.t < _MIN_PAGE_SECONDS:
        return False
    before = max(0, i - 1 - WINDOW)
    for j in range(before + 1, i):
        if steps[j + 1].frame.t - steps[j].frame.t >= _MIN_PAGE_SECONDS:
            before = j
    return _difference(steps[i].look, steps[before].look) >= _MIN_PAGE_CHANGE


def _difference(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return the mean absolute difference of two small pictures."""
    return float(np.abs(one - other).mean())
