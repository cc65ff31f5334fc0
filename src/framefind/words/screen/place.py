"""Where a line stands in a picture, and whether it still looks the same there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from framefind.types import Box
from framefind.words.screen.regions import Corners

_MAX_CHANGE = 6.0
"""Mean change, of 255, of a block of pixels that still shows the same."""
_BLOCK = 16
"""Side of such a block in pixels."""


class Place(NamedTuple):
    """An upright part of a picture, in whole pixels; right and bottom are beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, corners: Corners, picture: NDArray[np.uint8]) -> "Place":
        """Return the part of a picture that holds all corners inside it, one pixel at least."""
        height, width, _ = picture.shape
        left, top = np.floor(corners.min(axis=0)).clip(0, (width - 1, height - 1)).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).clip(0, (width, height)).tolist()
        return cls(int(left), int(top), int(max(right, left + 1)), int(max(bottom, top + 1)))

    @property
    def area(self) -> int:
        """Return the number of its pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: "Place") -> float:
        """Return the intersection of both over their union."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(0, width) * max(0, height)
        return both / (self.area + other.area - both)

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture's pixels there."""
        return picture[self.top : self.bottom, self.left : self.right]

    def box(self, picture: NDArray[np.uint8]) -> Box:
        """Return it as fractions of a picture."""
        height, width, _ = picture.shape
        return (
            self.left / width,
            self.top / height,
            (self.right - self.left) / width,
            (self.bottom - self.top) / height,
        )


def looks_like(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Return whether two pictures of one shape differ nowhere by more than compression does.

    They are compared block by block, since a text may change by a single digit.
    """
    bands = range(0, len(first), _BLOCK)
    return all(_looks_like(first[top : top + _BLOCK], second[top : top + _BLOCK]) for top in bands)


def _looks_like(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Return the same for two bands, one block high."""
    height, width, channels = first.shape
    sums = np.abs(first.astype(np.int16) - second).sum(axis=0, dtype=np.int32).reshape(-1)
    starts = np.arange(0, width * channels, _BLOCK * channels)
    counts = height * np.diff(starts, append=width * channels)
    return bool((np.add.reduceat(sums, starts) <= _MAX_CHANGE * counts).all())
