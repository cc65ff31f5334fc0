"""`shots`: the first frame of every shot, and frames that stand after a slow change.

Cuts begin shots. A page that comes by a cross-fade is recognised because it stands: its frame is
shown for seconds.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from framefind.video.cuts import WINDOW, Step, Visible, add_step, difference, is_cut
from framefind.video.samplers.base import FrameSource, Sampler

if TYPE_CHECKING:
    from framefind.video.frame import Frame

_MIN_PAGE_SECONDS = 5.0  # that a frame stands to be taken for a page of its own
_MIN_PAGE_CHANGE = 0.5  # mean difference of two pages, of 255
_TYPICAL_SECONDS = 5.0  # of a shot, for estimates

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
    near: deque[Step[VisibleT]] = deque(maxlen=2 * WINDOW + 2)
    for frame in frames:
        add_step(near, frame, frame.look())
        if len(near) == 1:
            yield frame
        elif len(near) > WINDOW + 1:
            i = len(near) - 1 - WINDOW
            if is_cut(near, i) or _is_page(near, i, near[i + 1].frame.t):
                yield near[i].frame
    for i in range(max(1, len(near) - WINDOW), len(near)):  # these have fewer after them
        until = near[i + 1].frame.t if i + 1 < len(near) else end(near[i].frame)
        if is_cut(near, i) or _is_page(near, i, until):
            yield near[i].frame


def _is_page(steps: Sequence[Step[VisibleT]], i: int, until: float) -> bool:
    """Return whether step `i`, shown until then, stands and differs from what stood before."""
    if until - steps[i].frame.t < _MIN_PAGE_SECONDS:
        return False
    before = max(0, i - 1 - WINDOW)
    for j in range(before + 1, i):
        if steps[j + 1].frame.t - steps[j].frame.t >= _MIN_PAGE_SECONDS:
            before = j
    return difference(steps[i].look, steps[before].look) >= _MIN_PAGE_CHANGE
