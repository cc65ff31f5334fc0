"""Cuts: which frames begin a new shot, told from small pictures of those around them.

A frame begins a shot when it differs from the frame before it by much, and by much more than its
neighbours differ from theirs, which tells a cut from motion: the idea of PySceneDetect's
AdaptiveDetector, applied to the mean difference of small pictures. The pictures around a cut must
stay different, too, which tells it from a flash.

Frames that are far apart have no such neighbours, and what moves may change more in a second than a
cut does. There, what is seen must have other places and other colours. In 77 real videos, 5% of the
pairs of frames a second apart do without a cut between them, and 99.8% of pairs of two videos.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

WINDOW = 2
"""How many changes on either side a change is compared with to be a cut."""

_MIN_RATIO = 3.0  # of a cut's change to the mean of its neighbours' (PySceneDetect's threshold)
_MIN_CHANGE = 15.0  # mean difference of a cut, of 255 (PySceneDetect's threshold)
_MAX_GAP_SECONDS = 0.5  # frames further apart do not tell motion from a cut
_MIN_APART = 0.2  # of places times colours, 0 to 2, for a cut between such frames
_LEVELS = 8  # of each of three colours that are counted
_LOOK_SECONDS = 0.12  # the first frame in each such interval is looked at, and every keyframe

FrameT = TypeVar("FrameT")


class Visible(Protocol):
    """Anything that is shown at a time, in seconds, and has a look."""

    @property
    def t(self) -> float: ...  # noqa: D102

    def look(self) -> NDArray[np.uint8]:
        """Return a small picture; all have one shape."""


class Step(NamedTuple, Generic[FrameT]):
    """A frame, its look, and the mean difference to the look of the frame before."""

    frame: FrameT
    look: NDArray[np.int16]
    change: float


def add_step(near: deque[Step[FrameT]], frame: FrameT, look: NDArray[np.uint8]) -> None:
    """Append the step to a frame from the one before it, if there is one."""
    signed = look.astype(np.int16)
    near.append(Step(frame, signed, difference(signed, near[-1].look) if near else 0.0))


def is_cut(steps: Sequence[Step[FrameT]], i: int) -> bool:
    """Return whether step `i` differs enough from what is before it, and stays different."""
    change = steps[i].change
    if change < _MIN_CHANGE:
        return False
    first = max(0, i - 1 - WINDOW)
    last = min(len(steps) - 1, i + WINDOW)
    neighbours = [steps[j].change for j in range(first + 1, last + 1) if j != i]
    usual = sum(neighbours) / len(neighbours) if neighbours else 0.0
    return (
        change >= _MIN_RATIO * usual
        and difference(steps[last].look, steps[i - 1].look) >= _MIN_CHANGE
        and difference(steps[i].look, steps[first].look) >= _MIN_CHANGE
    )


def difference(first: NDArray[np.int16], second: NDArray[np.int16]) -> float:
    """Return the mean absolute difference of two small pictures."""
    return float(np.abs(first - second).mean())


def is_far_cut(first: NDArray[np.int16], second: NDArray[np.int16]) -> bool:
    """Return whether another shot is seen in the second of two small pictures, seconds apart.

    Places are told by the correlation of brightness, colours by the overlap of histograms.
    """
    if difference(first, second) < _MIN_CHANGE:
        return False
    a, b = (picture.mean(axis=2).ravel() for picture in (first, second))
    a -= a.mean()
    b -= b.mean()
    places = 1 - float(a @ b) / max(1e-6, float(np.linalg.norm(a) * np.linalg.norm(b)))
    overlap = int(np.minimum(_count_colours(first), _count_colours(second)).sum())
    return places * (1 - overlap / len(a)) >= _MIN_APART


def _count_colours(picture: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return how many pixels have each colour, of a few levels a channel."""
    red, green, blue = np.moveaxis(picture * _LEVELS // 256, 2, 0)
    colours = (red * _LEVELS + green) * _LEVELS + blue
    return np.bincount(colours.ravel(), minlength=_LEVELS**3)


class Decoded(Visible, Protocol):
    """A decoded frame."""

    @property
    def is_keyframe(self) -> bool: ...  # noqa: D102


class CutFinder:
    """Finds the cuts among the decoded frames of a video, or of a span of one, as they come.

    The first frame begins no shot. Frames that are not decoded leave gaps: after a long one, a
    frame that shows something else begins a shot, wherever in the gap the cut may be.
    """

    def __init__(self) -> None:
        self._near: deque[Step[float]] = deque(maxlen=2 * WINDOW + 2)
        self._cuts: list[float] = []
        self._interval = -1

    def add(self, frame: Decoded) -> None:
        """Take the next frame, and look at it if it is not too close to the one before."""
        interval = int(frame.t / _LOOK_SECONDS)
        if interval == self._interval and not frame.is_keyframe:
            return
        self._interval = interval
        near = self._near
        is_near = not near or frame.t - near[-1].frame <= _MAX_GAP_SECONDS
        if not is_near:
            self._decide_rest()
        add_step(near, frame.t, frame.look())
        if not is_near:
            if is_far_cut(near[-2].look, near[-1].look):
                self._cuts.append(frame.t)
            last = near[-1]._replace(change=0.0)
            near.clear()
            near.append(last)
        elif len(near) > WINDOW + 1:
            self._decide(len(near) - 1 - WINDOW)

    def take(self) -> list[float]:
        """Return the times in seconds of the cuts that were found since the last call."""
        cuts = self._cuts
        self._cuts = []
        return cuts

    def finish(self) -> list[float]:
        """Return the cuts that are left; no frame follows."""
        self._decide_rest()
        self._near.clear()
        return self.take()

    def _decide(self, i: int) -> None:
        if is_cut(self._near, i):
            self._cuts.append(self._near[i].frame)

    def _decide_rest(self) -> None:
        """Decide about the last frames, which have fewer after them."""
        for i in range(max(1, len(self._near) - WINDOW), len(self._near)):
            self._decide(i)
