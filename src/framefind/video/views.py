"""Views: the parts of a frame that are embedded, and how their pixels are cut.

`whole` is the whole frame, `tiles` adds evenly spaced squares of the short side, and `SIZE/STEP`
(for example `360/180`) is a grid of overlapping square patches of SIZE pixels. The first two leave
out black bars at two opposite edges, which show nothing and make all that is between them smaller.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framefind.errors import UsageError
from framefind.types import Box

Scale = Callable[[int, int], NDArray[np.uint8]]
"""Returns a frame's upright RGB picture at (width, height) pixels: uint8 (height, width, 3)."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
"""The box of the whole frame."""

MAX_DUPLICATE_CHANGE = 12.0
"""Mean change of a block, of 255, up to which a frame is a near-duplicate of another."""

_BLOCKS_PER_SIDE = 8  # of a view, when frames are compared
_MAX_BLACK = 24  # of 255, in any channel of a bar: black, and what compression makes of it
_MIN_EDGE = 40  # of 255: brighter than this is a quarter of what meets a bar
_MIN_BAR = 0.03  # of the frame's side: narrower bars are left
_MIN_CONTENT = 0.25  # of the frame's side: what is between wider bars is a line of a dark frame


@dataclass(frozen=True)
class Views:
    """Which parts of a frame are embedded.

    `side` is a patch's side in pixels of the upright frame, or None for the frame's short side;
    `step` the distance between patches in pixels. A `name` of `whole` has no squares at all.
    """

    name: str
    side: int | None = None
    step: int | None = None

    @classmethod
    def parse(cls, name: str) -> "Views":
        """Read `whole`, `tiles` or `SIZE/STEP`. Raises UsageError for anything else."""
        name = str(name)
        if name in ("whole", "tiles"):
            return cls(name)
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", name)
        if not match or not (side := int(match[1])) or not (step := int(match[2])):
            raise UsageError(f"views {name!r}: use whole, tiles or SIZE/STEP such as 360/180")
        return cls(f"{side}/{step}", side, step)

    def boxes(self, width: int, height: int, content: Box = WHOLE) -> list[Box]:
        """Return the boxes of a frame of that many upright pixels, in reading order.

        `content` is what lies between black bars; patches are those of the frame, bars or not.
        """
        if self.name == "whole":
            return [content]
        left, top, across, down = content
        lefts, tops, side = self._corners(across * width, down * height)
        squares = [
            (left + x / width, top + y / height, side / width, side / height)
            for y in tops
            for x in lefts
        ]
        return [content, *squares] if self.name == "tiles" else squares

    def _corners(self, width: float, height: float) -> tuple[list[float], list[float], float]:
        """Return the left and top edges of the squares and their side, in pixels."""
        short, long = min(width, height), max(width, height)
        if self.side is None or self.step is None:
            count = math.ceil(1.5 * (long / short - 1)) + 1
            offsets = [(long - short) * i / max(1, count - 1) for i in range(count)]
            return (offsets, [0.0], short) if width >= height else ([0.0], offsets, short)
        side = min(self.side, short)  # a frame smaller than the patch is one patch high
        return (
            [float(x) for x in range(0, int(width - side) + 1, self.step)],
            [float(y) for y in range(0, int(height - side) + 1, self.step)],
            side,
        )

    def cut(
        self, scale: Scale, width: int, height: int, size: int
    ) -> tuple[NDArray[np.uint8], list[Box]]:
        """Cut a frame of `width` × `height` upright pixels into its views.

        The frame is scaled once for the whole view and once for all squares, straight to the
        model's `size`, so that the cost does not grow with the number of views; and once more for
        the whole view where it has bars. Returns uint8 (views, size, size, 3) RGB and their boxes.
        """
        content = WHOLE
        views = []
        if self.side is None:
            whole = scale(size, size)
            content = find_content(whole)
            views.append(whole if content == WHOLE else _scale_box(scale, content, size, size))
        if self.name != "whole":
            views += self._cut_squares(scale, content, width, height, size)
        return np.stack(views), self.boxes(width, height, content)

    def _cut_squares(
        self, scale: Scale, content: Box, width: int, height: int, size: int
    ) -> list[NDArray[np.uint8]]:
        """Return the squares of a frame's content, uint8 (size, size, 3) each."""
        across, down = content[2] * width, content[3] * height
        lefts, tops, side = self._corners(across, down)
        factor = size / side
        shape = max(size, round(across * factor)), max(size, round(down * factor))
        picture = _scale_box(scale, content, *shape)
        return [
            picture[y : y + size, x : x + size]
            for y in _pixels(tops, factor, picture.shape[0] - size)
            for x in _pixels(lefts, factor, picture.shape[1] - size)
        ]


def find_content(picture: NDArray[np.uint8]) -> Box:
    """Return the box of a picture, uint8 RGB (height, width, 3), without its black bars.

    Bars are at the top and bottom or at both sides, of equal width, and what meets them is
    partly bright: a dark scene, or a title on black, is left as it is.
    """
    bright = picture.max(axis=2)
    down, across = _find_bars(bright), _find_bars(bright.T)
    if (down > 0) == (across > 0):  # none, or all around
        return WHOLE
    return (across, down, 1 - 2 * across, 1 - 2 * down)


def _find_bars(bright: NDArray[np.uint8]) -> float:
    """Return the height of two bars, as a part of the whole, of a picture's brightest channel."""
    lit = np.flatnonzero(bright.max(axis=1) > _MAX_BLACK)
    if not len(lit):
        return 0.0
    first, last = int(lit[0]), int(lit[-1])
    rows = len(bright)
    bars = (first, rows - 1 - last)
    inner = bright[[min(first + 1, last), max(last - 1, first)]]
    are_bars = (
        min(bars) >= _MIN_BAR * rows
        and abs(bars[0] - bars[1]) <= max(1, _MIN_BAR * rows / 2)
        and rows - sum(bars) >= _MIN_CONTENT * rows
        and bool((np.quantile(inner, 0.75, axis=1) > _MIN_EDGE).all())
    )
    return max(bars) / rows if are_bars else 0.0


def _scale_box(scale: Scale, box: Box, width: int, height: int) -> NDArray[np.uint8]:
    """Return a box of a frame at that size: uint8 RGB (height, width, 3)."""
    x, y, across, down = box
    picture = scale(round(width / across), round(height / down))
    left = min(round(x * width / across), picture.shape[1] - width)
    top = min(round(y * height / down), picture.shape[0] - height)
    return picture[top : top + height, left : left + width]


def _pixels(offsets: list[float], factor: float, last: int) -> list[int]:
    """Return scaled offsets as whole pixels, `last` at most."""
    return [min(round(offset * factor), last) for offset in offsets]


class DuplicateDetector:
    """Recognises near-duplicates: frames that look like the last one that was none.

    Frames are compared block by block, so that a small thing that moves counts as much as a large
    one, and always with a frame that was itself embedded, so that slow change adds up.
    """

    def __init__(self, max_change: float) -> None:
        """`max_change` is the mean change of a block, of 255, up to which frames look alike."""
        self._max_change = max_change
        self._last: NDArray[np.uint8] | None = None

    def is_duplicate(self, pixels: NDArray[np.uint8]) -> bool:
        """Return whether views, uint8 (n, size, size, 3), look like those of the last new frame."""
        last = self._last
        if last is None or last.shape != pixels.shape or _change(pixels, last) > self._max_change:
            self._last = pixels
            return False
        return True


def _change(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of two frames' views in the block that differs most."""
    difference = np.abs(first.astype(np.int16) - second).mean(axis=3)
    size = difference.shape[1]
    starts = np.arange(0, size, max(1, math.ceil(size / _BLOCKS_PER_SIDE)))
    sums = np.add.reduceat(np.add.reduceat(difference, starts, axis=1), starts, axis=2)
    sides = np.diff(np.append(starts, size))
    return float((sums / np.outer(sides, sides)).max())
