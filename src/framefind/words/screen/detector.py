"""Finds lines of text in a picture: PP-OCRv6's detector, and differentiable binarization's boxes.

The network gives each pixel the probability that it lies in the core of a line, which is the line
shrunk on all sides. Cores are grown back by their area over their outline, as they were shrunk.
"""

import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.models.backends import OnnxRuntimeGraph
from framefind.words.screen.regions import Corners, Rectangle, enclose, find_regions

_AREA = 448 * 256
"""Pixels of a picture when lines are looked for; the time that takes grows with them."""
_LONG_SIDE = 960
"""Pixels of the longer side, at most, of a picture that is little else."""
_STRIDE = 32
"""The sides of the network's input are multiples of it."""
MAX_LINES = 100
"""Lines of one picture that are looked at; the largest, if there are more."""

FILE = Path(__file__).with_name("models") / "PP-OCRv6_det_tiny.onnx"
# Of blue, green and red, as the network was trained.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
_MIN_CORE = 0.3
"""Probability from which a pixel belongs to a core."""
_MIN_SCORE = 0.5
"""Mean probability over a core's rectangle from which it is a line."""
_GROWTH = 1.2
"""Area over outline of a core, times this, is its margin; letters are small in a wider one."""
_MIN_SIDE = 3.0
"""Pixels of the shorter side of a core's rectangle."""
_MIN_LENGTH = 1.2
"""Longer over shorter side of a line; what is squarer holds a single letter, if any."""


def input_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height at which a picture of that shape is searched."""
    factor = min(_LONG_SIDE / max(width, height), math.sqrt(_AREA / (width * height)))
    return (
        max(1, round(width * factor / _STRIDE)) * _STRIDE,
        max(1, round(height * factor / _STRIDE)) * _STRIDE,
    )


def detect_lines(picture: NDArray[np.uint8]) -> list[Corners]:
    """Return the corners of the lines of text in an RGB picture, uint8 (height, width, 3).

    It has the size that `input_size` gives.
    """
    blue_first = np.ascontiguousarray(picture.transpose(2, 0, 1)[::-1])
    pixels = blue_first.astype(np.float32)
    pixels *= 1 / (255 * _STD)
    pixels -= _MEAN / _STD
    return find_lines(_open_network().run({"x": pixels[None]})[0, 0])


def find_lines(probabilities: NDArray[np.float32]) -> list[Corners]:
    """Return the corners of the lines that a map of probabilities, (height, width), shows."""
    lines = []
    for points in find_regions(probabilities > _MIN_CORE, MAX_LINES):
        core = enclose(points)
        if min(core.width, core.height) < _MIN_SIDE or _mean(probabilities, core) < _MIN_SCORE:
            continue
        outline = 2 * (core.width + core.height)
        line = core.grow(core.width * core.height * _GROWTH / outline)
        if max(line.width, line.height) >= _MIN_LENGTH * min(line.width, line.height):
            lines.append(line.corners())
    return lines


def _mean(values: NDArray[np.float32], rectangle: Rectangle) -> float:
    """Return the mean of the values within a rectangle, one for each of its pixels."""
    columns = max(1, round(rectangle.width))
    rows = max(1, round(rectangle.height))
    across = (np.arange(columns) + 0.5) / columns - 0.5
    down = (np.arange(rows) + 0.5) / rows - 0.5
    x, y = rectangle.points(*np.meshgrid(across, down)).astype(np.intp).reshape(-1, 2).T
    height, width = values.shape
    return float(values[y.clip(0, height - 1), x.clip(0, width - 1)].mean())


@cache
def _open_network() -> OnnxRuntimeGraph:
    return OnnxRuntimeGraph(FILE, "cpu", threads=1)
