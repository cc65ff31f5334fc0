"""Reads lines of text: cuts them out of a picture, level and at the recogniser's height."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.video.views import Scale
from framefind.words.screen.recogniser import LINE_HEIGHT, MAX_LINE_WIDTH, read_line
from framefind.words.screen.regions import Corners

_MAX_ZOOM = 4
"""Sharpest picture that lines are read from, in times the size at which they are looked for."""
_STRETCH = 1.5
"""Lines are widened by it: the recogniser skips narrow letters of what is as narrow as it is."""
_MIN_STEEPNESS = 1.5
"""Height over width from which a line is read upwards or downwards."""


def read_lines(
    lines: Sequence[Corners], picture: NDArray[np.uint8], scale: Scale, width: int, height: int
) -> Iterator[tuple[str, float]]:
    """Yield the text and confidence, 0 to 1, of lines that were found in a picture.

    They are read from the same picture as `scale` gives it, at the size that shows the smallest
    line well; it has `width` × `height` pixels at most.
    """
    if not lines:
        return
    searched = np.array(picture.shape[1::-1])
    smallest = min(min(_sides(corners)) for corners in lines)
    zoom = min(_MAX_ZOOM, max(1.0, LINE_HEIGHT / smallest))
    size = np.ceil(searched * zoom).astype(int).clip(1, (width, height))
    sharp = scale(int(size[0]), int(size[1]))
    for corners in lines:
        yield _read(sharp, corners * (size / searched))


def _read(picture: NDArray[np.uint8], corners: Corners) -> tuple[str, float]:
    """Return the text between corners, and its confidence.

    A steep line is read both upwards and downwards; the text of higher confidence counts.
    """
    width, height = _sides(corners)
    if height < _MIN_STEEPNESS * width:
        return read_line(_cut(picture, corners))
    turns = (np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0))
    return max((read_line(_cut(picture, turn)) for turn in turns), key=lambda line: line[1])


def _sides(corners: Corners) -> tuple[float, float]:
    """Return the length and height of a line in pixels, one at least."""
    begin, end, _, below = corners
    return max(1.0, math.dist(begin, end)), max(1.0, math.dist(begin, below))


def _cut(picture: NDArray[np.uint8], corners: Corners) -> NDArray[np.uint8]:
    """Return a line, uint8 RGB (LINE_HEIGHT, width, 3)."""
    size = np.array(picture.shape[1::-1])
    first = np.floor(corners.min(axis=0)).clip(0, size - 1).astype(int)
    last = np.ceil(corners.max(axis=0)).clip(first + 1, size).astype(int)
    around = Image.fromarray(np.ascontiguousarray(picture[first[1] : last[1], first[0] : last[0]]))
    width, height = _sides(corners)
    length = min(MAX_LINE_WIDTH, max(1, round(_STRETCH * width * LINE_HEIGHT / height)))
    return np.asarray(_straighten(around, corners - first, (length, LINE_HEIGHT)))


def _straighten(picture: Image.Image, corners: Corners, size: tuple[int, int]) -> Image.Image:
    """Return what lies between corners of a picture, level and at that size."""
    begin_above, end_above, end_below, begin_below = corners
    bilinear = Image.Resampling.BILINEAR
    if begin_above[1] == end_above[1] and begin_above[0] < end_above[0]:  # it is level
        left, top, right, bottom = np.concatenate([begin_above, end_below]).tolist()
        width, height = picture.size
        box = (max(0.0, left), max(0.0, top), min(width, right), min(height, bottom))
        return picture.resize(size, bilinear, box)
    # A transform skips pixels where it shrinks, so the picture is shrunk before.
    factor = size[1] / _sides(corners)[1]
    near = picture.resize([max(1, round(side * factor)) for side in picture.size], bilinear)
    source = np.stack([begin_above, begin_below, end_below, end_above]) * near.size / picture.size
    return near.transform(size, Image.Transform.QUAD, source.reshape(-1).tolist(), bilinear)
