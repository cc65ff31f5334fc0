"""Connected regions of a mask, and the smallest rectangle around each."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ANGLES = np.radians(np.arange(-45.0, 45.0))
"""The tilts that are tried for a rectangle; its other side covers those beyond."""
_MIN_SAVING = 0.1
"""Part of an upright rectangle's area that a tilted one must save; else it stays upright."""


Corners = NDArray[np.float64]
"""(4, 2), x and y in pixels: where a text begins above, ends above, ends below, begins below."""


class Rectangle(NamedTuple):
    """A rectangle that may be tilted: its centre, sides and tilt.

    `width` runs along (cos tilt, sin tilt), with y downwards and the tilt in radians from -π/4
    to π/4; a line that is read upwards or downwards is higher than it is wide.
    """

    x: float
    y: float
    width: float
    height: float
    tilt: float

    def grow(self, margin: float) -> "Rectangle":
        """Return it with that margin on every side."""
        width = self.width + 2 * margin
        height = self.height + 2 * margin
        return self._replace(width=width, height=height)

    def points(self, across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (..., 2) as x, y, given as fractions of its sides from its centre."""
        cosine = math.cos(self.tilt)
        sine = math.sin(self.tilt)
        along = across * self.width
        aside = down * self.height
        x = self.x + along * cosine - aside * sine
        y = self.y + along * sine + aside * cosine
        return np.stack([x, y], axis=-1)

    def corners(self) -> Corners:
        """Return its corners, clockwise from the one that is left and above."""
        return self.points(np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5]))


def find_regions(mask: NDArray[np.bool_], limit: int) -> list[NDArray[np.float64]]:
    """Return the connected regions of a mask (height, width), the `limit` largest ones.

    Pixels that touch at a corner are connected. Each region is given as the corners of its runs of
    pixels, (n, 2) as x, y, which is all that a rectangle around it depends on.
    """
    rows, starts, ends = _find_runs(mask)
    if not len(rows):
        return []
    labels = _connect(len(rows), *_touching_runs(rows, starts, ends, mask.shape[1]))
    order = np.argsort(labels, kind="stable")
    firsts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    areas = np.add.reduceat((ends - starts)[order], firsts)
    regions = np.split(order, firsts[1:])
    return [
        _run_corners(rows[runs], starts[runs], ends[runs])
        for runs in (regions[i] for i in np.argsort(-areas, kind="stable")[:limit])
    ]


def enclose(points: NDArray[np.float64]) -> Rectangle:
    """Return the smallest rectangle around points (n, 2); upright where that is nearly as small."""
    cosines = np.cos(_ANGLES)
    sines = np.sin(_ANGLES)
    across = np.outer(cosines, points[:, 0]) + np.outer(sines, points[:, 1])
    down = np.outer(cosines, points[:, 1]) - np.outer(sines, points[:, 0])
    widths = np.ptp(across, axis=1)
    heights = np.ptp(down, axis=1)
    areas = widths * heights
    upright = len(_ANGLES) // 2
    best = int(areas.argmin())
    if areas[best] > (1 - _MIN_SAVING) * areas[upright]:
        best = upright
    x = (across[best].min() + across[best].max()) / 2
    y = (down[best].min() + down[best].max()) / 2
    cosine = cosines[best]
    sine = sines[best]
    return Rectangle(
        float(cosine * x - sine * y),
        float(sine * x + cosine * y),
        float(widths[best]),
        float(heights[best]),
        float(_ANGLES[best]),
    )


def _find_runs(
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return row, start and end (exclusive) of each run of pixels, in reading order."""
    used = np.flatnonzero(mask.any(axis=1))  # few, in most pictures
    steps = np.diff(np.pad(mask[used], ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    return used[rows], starts, ends


def _touching_runs(
    rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of runs, by number, that touch across two rows."""
    below = (rows + 1) * (width + 2)  # where the next row begins, if rows follow each other
    begins = rows * (width + 2) + starts
    stops = rows * (width + 2) + ends
    first = np.searchsorted(stops, below + starts)
    counts = np.maximum(np.searchsorted(begins, below + ends, "right") - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return upper, lower


def _connect(count: int, firsts: NDArray[np.intp], seconds: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return a label for each of `count` nodes, the same for all that pairs connect."""
    labels = np.arange(count)
    while True:
        first_labels = labels[firsts]
        second_labels = labels[seconds]
        if np.array_equal(first_labels, second_labels):
            return labels
        np.minimum.at(
            labels, np.maximum(first_labels, second_labels), np.minimum(first_labels, second_labels)
        )
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter


def _run_corners(
    rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.float64]:
    x = np.concatenate([starts, ends, starts, ends])
    y = np.concatenate([rows, rows, rows + 1, rows + 1])
    return np.stack([x, y], axis=1).astype(np.float64)
