"""Titles of a reel: lines of text, drawn once and laid over pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.output.drawing import BRIGHT, GROUND, write_text
from framefind.video.frame import Depth

if TYPE_CHECKING:  # Pillow is loaded only when something is drawn
    from PIL.Image import Image as Picture

_SIZES = 1 / 18, 1 / 26  # of the first line's letters and of the others', in heights of the picture
_MIN_LETTERS = 11  # pixels
_LEADING = 1.35  # from line to line, in sizes of letters
_SHADE = 176  # of 255: how dark the ground behind the letters is


def draw_title(lines: Sequence[str], size: tuple[int, int]) -> "Picture":
    """Draw lines for the foot of pictures of that size, each shortened to their width: RGBA."""
    from PIL import Image, ImageDraw

    width, height = size
    letters = [
        max(_MIN_LETTERS, round(height * _SIZES[min(number, 1)])) for number in range(len(lines))
    ]
    margin = letters[0]
    baselines = np.cumsum([_LEADING * each for each in letters])
    strip = Image.new("RGBA", (width, round(baselines[-1] + margin)), (*GROUND, _SHADE))
    draw = ImageDraw.Draw(strip)
    for line, letter, baseline in zip(lines, letters, baselines, strict=True):
        write_text(draw, (margin, float(baseline)), line, letter, BRIGHT, width - 2 * margin)
    return strip


def lay_over(pixels: NDArray[Depth], title: "Picture", white: float) -> NDArray[Depth]:
    """Return RGB pixels with a title at their foot; `white` is the share of its white in theirs."""
    letters = np.asarray(title, np.float32)
    alpha = letters[..., 3:] / 255
    scale = white * np.iinfo(pixels.dtype).max / 255
    foot = pixels[len(pixels) - len(letters) :]
    blended = foot * (1 - alpha) + letters[..., :3] * alpha * scale
    laid = pixels.copy()
    laid[len(pixels) - len(letters) :] = np.rint(blended)
    return laid
