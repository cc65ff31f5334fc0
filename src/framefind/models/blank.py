"""Blank views: black lead-ins, fades, walls of one colour.

Models never learned that such an image shows nothing: it resembles most texts a little, and in a
small library often more than views that do show something.
"""

import numpy as np
from numpy.typing import NDArray

from framefind.models.base import Model
from framefind.models.neutral import load_neutral

_MAX_PIXEL_RANGE = 48
"""Of 255, in any channel of a blank view: what noise and compression make."""
_MAX_BLOCK_RANGE = 8
"""Of 255, between the mean colours of a blank view's blocks."""
_BLOCKS = 8
"""Blocks in a row and in a column of a view."""
_SAMPLE_STEP = 16
"""Step in pixels of the first look, which is enough for nearly all views."""


def are_blank(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a mask (n,) of the views, uint8 (n, size, size, 3), that show one colour only."""
    sample = pixels[:, ::_SAMPLE_STEP, ::_SAMPLE_STEP]
    ranges = (sample.max((1, 2)) - sample.min((1, 2))).max(axis=1, initial=0)
    blank = np.asarray(ranges <= _MAX_PIXEL_RANGE)
    for at in np.flatnonzero(blank):
        view = pixels[at]
        channel_ranges = view.max(0).max(0) - view.min(0).min(0)
        is_even = channel_ranges.max() <= _MAX_PIXEL_RANGE
        blank[at] = is_even and _block_range(view) <= _MAX_BLOCK_RANGE
    return blank


def _block_range(view: NDArray[np.uint8]) -> float:
    """Return the largest difference between the means of a view's blocks, in any channel."""
    starts = np.linspace(0, len(view), _BLOCKS, endpoint=False).astype(int)
    sides = np.diff(np.append(starts, len(view)))
    sums = np.add.reduceat(np.add.reduceat(view, starts, 0, np.uint32), starts, 1)
    means = sums / np.outer(sides, sides)[..., np.newaxis]
    return float(np.ptp(means, axis=(0, 1)).max())


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
