"""Reads a line of text: PP-OCRv6's recogniser, decoded greedily (CTC)."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.models.backends import OnnxRuntimeGraph

LINE_HEIGHT = 48
"""Pixels of a line's height, as the network was trained."""
MAX_LINE_WIDTH = 75 * LINE_HEIGHT
"""Pixels of the longest line; a longer one is squeezed."""
MIN_CONFIDENCE = 0.8
"""Confidence from which what was read is taken for text; most of the rest is none."""

FILE = Path(__file__).with_name("models") / "PP-OCRv6_rec_tiny.onnx"
_MIN_WIDTH = 96
"""Pixels to which a shorter line is filled up."""
_STEP = 32
"""Widths are multiples of it, since each new one costs time."""
_BLANK = 0
"""The class of what is no character."""


def read_line(line: NDArray[np.uint8]) -> tuple[str, float]:
    """Return the text of a line, uint8 RGB (LINE_HEIGHT, width, 3), and its confidence, 0 to 1."""
    width = line.shape[1]
    padded = max(_MIN_WIDTH, -(-width // _STEP) * _STEP)
    pixels = np.zeros((1, 3, LINE_HEIGHT, padded), np.float32)  # grey beyond the line
    pixels[0, :, :, :width] = line[..., ::-1].transpose(2, 0, 1) / np.float32(127.5) - 1
    return decode(_open_network().run({"x": pixels})[0], _characters())


def decode(probabilities: NDArray[np.float32], characters: list[str]) -> tuple[str, float]:
    """Return the likeliest text of (steps, classes), and the mean probability of its characters.

    Class 0 stands between characters; one that is likeliest for several steps on end is one.
    """
    classes = probabilities.argmax(axis=1)
    begins = np.diff(classes, prepend=_BLANK) != 0
    steps = np.flatnonzero(begins & (classes != _BLANK))
    if not len(steps):
        return "", 0.0
    text = "".join(characters[i] for i in classes[steps])
    return text, float(probabilities[steps, classes[steps]].mean())


@cache
def _open_network() -> OnnxRuntimeGraph:
    return OnnxRuntimeGraph(FILE, "cpu", threads=1)


@cache
def _characters() -> list[str]:
    """Return the character of each class: the blank, those that the file names, a space."""
    return ["", *_open_network().metadata["character"].split("\n"), " "]
