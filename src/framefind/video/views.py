"""Views: the parts of a frame that are embedded, and how their pixels are cut.

`whole` is the whole frame, `tiles` adds evenly spaced squares of the short side, and `SIZE/STEP`
(for example `360/180`) is a grid of overlapping square patches of SIZE pixels.
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
"""Gives a frame's upright RGB picture at (width, height) pixels: a uint8 (height, width, 3)."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

ALIKE = 12.0
"""How much a block of a view may change, on average and of 255, for frames to look alike."""

_BLOCKS = 8  # in a row and in a column of a view


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

    def boxes(self, width: int, height: int) -> list[Box]:
        """The boxes of a frame of that many upright pixels, in reading order."""
        if self.name == "whole":
            return [WHOLE]
        lefts, tops, side = self._corners(width, height)
        squares = [
            (x / width, y / height, side / width, side / height) for y in tops for x in lefts
        ]
        return [WHOLE, *squares] if self.name == "tiles" else squares

    def _corners(self, width: int, height: int) -> tuple[list[float], list[float], int]:
        short, long = min(width, height), max(width, height)
        if self.side is None or self.step is None:
            count = math.ceil(1.5 * (long / short - 1)) + 1
            offsets = [(long - short) * i / max(1, count - 1) for i in range(count)]
            return (offsets, [0.0], short) if width >= height else ([0.0], offsets, short)
        side = min(self.side, short)  # a frame smaller than the patch is one patch high
        return (
            [float(x) for x in range(0, width - side + 1, self.step)],
            [float(y) for y in range(0, height - side + 1, self.step)],
            side,
        )

    def cut(self, scale: Scale, width: int, height: int, size: int) -> NDArray[np.uint8]:
        """Cut a frame of `width` × `height` upright pixels into its views.

        The frame is scaled once for the whole view and once for all squares, straight to the
        model's `size`, so that the cost does not grow with the number of views. Returns uint8
        (views, size, size, 3) RGB, in the order of `boxes`.
        """
        if self.name == "whole":
            return scale(size, size)[np.newaxis]
        lefts, tops, side = self._corners(width, height)
        factor = size / side
        picture = scale(max(size, round(width * factor)), max(size, round(height * factor)))
        squares = [
            picture[y : y + size, x : x + size]
            for y in _pixels(tops, factor, picture.shape[0] - size)
            for x in _pixels(lefts, factor, picture.shape[1] - size)
        ]
        if self.name == "tiles":
            squares.insert(0, scale(size, size))
        return np.stack(squares)


def _pixels(offsets: list[float], factor: float, last: int) -> list[int]:
    return [min(round(offset * factor), last) for offset in offsets]


class Likeness:
    """Tells frames that look like the last one that did not, from their views.

    They are compared block by block, so that a small thing that moves counts as much as a large
    one, and with a frame that was itself embedded, so that slow change adds up.
    """

    def __init__(self, bound: float) -> None:
        """`bound` is the mean change of a block, of 255, up to which a frame is like another."""
        self._bound = bound
        self._known: NDArray[np.uint8] | None = None

    def is_again(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether views, uint8 (n, size, size, 3), look like those of the last new frame."""
        known = self._known
        if known is None or known.shape != pixels.shape or _change(pixels, known) > self._bound:
            self._known = pixels
            return False
        return True


def _change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean absolute difference of two frames' views in the block where it is greatest."""
    difference = np.abs(one.astype(np.int16) - other).mean(axis=3)
    size = difference.shape[1]
    starts = np.arange(0, size, max(1, math.ceil(size / _BLOCKS)))
    sums = np.add.reduceat(np.add.reduceat(difference, starts, axis=1), starts, axis=2)
    sides = np.diff(np.append(starts, size))
    return float((sums / np.outer(sides, sides)).max())
