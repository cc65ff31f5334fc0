"""Blank views: black lead-ins, fades, walls of one colour, unevenly lit ones.

Models never learned that such an image shows nothing: it resembles most texts a little, and in a
small library often more than views that do show something.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from framefind.models.base import Model
from framefind.models.neutral import load_neutral

_MAX_PIXEL_RANGE = 48
"""Of 255, in any channel within a block of a blank view: what noise and compression make."""
_MAX_BLOCK_RANGE = 8
"""Of 255, between the mean colours of the blocks of a view of one colour."""
_MAX_UNEVEN = 0.15
"""Of the range of these, what a grey view may differ from a smooth slope by."""
_MAX_TINT = 24
"""Of 255, between the channels of a grey view's mean colour."""
_BLOCKS = 12
"""Blocks in a row and in a column of a view, and pixels at the first look at it."""


def are_blank(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a mask (n,) of the views, uint8 (n, size, size, 3), that show nothing.

    Those are of one colour only, or of a grey that changes smoothly: a wall or a lamp's light on
    it. A slope of colours may be the sky.
    """
    at = np.linspace(0, pixels.shape[1] - 1, _BLOCKS).astype(int)
    sample = pixels[:, at][:, :, at].reshape(len(pixels), -1, 3).astype(np.float32)
    uneven = np.ptp(_find_uneven() @ sample, axis=1).max(axis=1, initial=0)
    blank = np.asarray(uneven <= _MAX_PIXEL_RANGE)
    for number in np.flatnonzero(blank):
        blank[number] = _is_blank(pixels[number])
    return blank


def _is_blank(view: NDArray[np.uint8]) -> bool:
    starts = np.linspace(0, len(view), _BLOCKS, endpoint=False).astype(int)
    sides = np.diff(np.append(starts, len(view)))
    sums = np.add.reduceat(np.add.reduceat(view, starts, 0, np.uint32), starts, 1)
    high = np.maximum.reduceat(np.maximum.reduceat(view, starts, 0), starts, 1)
    low = np.minimum.reduceat(np.minimum.reduceat(view, starts, 0), starts, 1)
    if (high - low).max() > _MAX_PIXEL_RANGE:
        return False
    means = (sums / np.outer(sides, sides)[..., np.newaxis]).reshape(-1, 3)
    block_range = float(np.ptp(means, axis=0).max())
    uneven = float(np.ptp(_find_uneven() @ means, axis=0).max())
    is_slope = uneven <= _MAX_UNEVEN * block_range and np.ptp(means.mean(axis=0)) <= _MAX_TINT
    return block_range <= _MAX_BLOCK_RANGE or bool(is_slope)


@cache
def _find_uneven() -> NDArray[np.float32]:
    """Return the matrix that leaves of blocks' values what no polynomial of degree two explains.

    float32 (blocks, blocks), in reading order.
    """
    y, x = np.mgrid[-1 : 1 : _BLOCKS * 1j, -1 : 1 : _BLOCKS * 1j].reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return np.asarray(np.eye(len(x)) - terms @ np.linalg.pinv(terms), np.float32)


def embed_views(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions).

    Vectors of blank views are turned away from the mean of neutral images, so that texts do not
    find them. Blank views stay close to each other, those of one colour closest.
    """
    vectors = model.embed_images(pixels)
    blank = are_blank(pixels)
    if not blank.any():
        return vectors
    mean = load_neutral(model).mean
    apart = vectors.copy()
    apart[blank] -= mean / np.linalg.norm(mean)
    apart[blank] /= np.maximum(np.linalg.norm(apart[blank], axis=1, keepdims=True), 1e-6)
    return apart
