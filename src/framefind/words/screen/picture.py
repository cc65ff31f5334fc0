"""Reads all text of one picture, such as a subtitle that is drawn."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.words.screen.detector import detect_lines, input_size
from framefind.words.screen.lines import read_lines
from framefind.words.screen.recogniser import MIN_CONFIDENCE
from framefind.words.screen.regions import Corners


def read_picture(picture: NDArray[np.uint8]) -> str:
    """Return the text of an RGB picture, uint8 (height, width, 3), as far as it is sure.

    Lines are parted by newlines, parts of a line by spaces.
    """
    height, width, _ = picture.shape
    whole = Image.fromarray(picture)

    def scale(width: int, height: int) -> NDArray[np.uint8]:
        return np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR))

    searched = scale(*input_size(width, height))
    rows = _sort_rows(detect_lines(searched))
    readings = read_lines([part for row in rows for part in row], searched, scale, width, height)
    texts = [
        [text for text, confidence in (next(readings) for _ in row) if confidence >= MIN_CONFIDENCE]
        for row in rows
    ]
    return "\n".join(" ".join(" ".join(row).split()) for row in texts if row)


def _sort_rows(lines: Iterable[Corners]) -> list[list[Corners]]:
    """Return lines in the order of reading: rows from above, the parts of each from the left."""
    rows: list[list[Corners]] = []
    for line in sorted(lines, key=_middle):
        last = rows[-1][-1] if rows else None
        if last is not None and _middle(line) < last[:, 1].max():
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: float(line[:, 0].min())) for row in rows]


def _middle(line: Corners) -> float:
    return float(line[:, 1].mean())
