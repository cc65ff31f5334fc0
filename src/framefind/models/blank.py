"""Views that show nothing: black lead-ins, fades, walls of one colour.

Models were never taught what such a picture does not show, so that it resembles most texts a
little, and in a small library often more than what does show something.
"""

import numpy as np
from numpy.typing import NDArray

from framefind.models.base import Model
from framefind.models.neutral import load_neutral

_NOISE = 48  # how far the pixels of an empty view may differ, of 255: noise and compression
_CONTRAST = 8  # how far the means of its blocks may differ
_BLOCKS = 8  # in a row and in a column


def are_blank(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which of some views, uint8 (n, size, size, 3), show nothing but one colour."""
    few = pixels[:, ::16, ::16]  # which tell already for nearly all
    blank = np.asarray((few.max((1, 2)) - few.min((1, 2))).max(axis=1, initial=0) <= _NOISE)
    for at in np.flatnonzero(blank):
        view = pixels[at]
        span = view.max(0).max(0) - view.min(0).min(0)
        blank[at] = span.max() <= _NOISE and _contrast(view) <= _CONTRAST
    return blank


def _contrast(view: NDArray[np.uint8]) -> float:
    """Return the largest difference between the means of a view's blocks, in any channel."""
    starts = np.linspace(0, len(view), _BLOCKS, endpoint=False).astype(int)
    sides = np.diff(np.append(starts, len(view)))
    sums = np.add.reduceat(np.add.reduceat(view, starts, 0, np.uint32), starts, 1)
    means = sums / np.outer(sides, sides)[..., np.newaxis]
    return float(np.ptp(means, axis=(0, 1)).max())


def embed_pictures(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed uint8 RGB (n, size, size, 3) into unit rows; blank ones are set apart.

    Their vectors are turned away from the mean of neutral pictures, on whose side of the space
    texts find what they find; blank pictures stay near each other, the nearest those of one colour.
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
