"""Images of a query: files, URLs, bytes and frames of the library, whole or a box of them."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.files import stills
from framefind.types import Box
from framefind.video.views import WHOLE, find_content

if TYPE_CHECKING:
    from PIL import Image as Pillow

_MAX_BYTES = 100_000_000


def read_image(
    picture: str | Path | bytes, box: Box, size: int, how: str = "bilinear"
) -> NDArray[np.uint8]:
    """Return the pixels of a box of an image, given as a path, a URL or the bytes of a file.

    Returns uint8 RGB (size, size, 3), upright; `how` is the model's `resize`. Raises QueryError
    when it cannot be read, is no picture, or is absurdly large.
    """
    name = "the picture" if isinstance(picture, bytes) else str(picture)
    content = picture if isinstance(picture, bytes) else _read_bytes(name)
    min_side = round(2 * size / min(box[2:]))
    with stills.opened(content, name) as opened:
        opened.draft("RGB", (min_side, min_side))  # JPEG: decode no more than that
        upright = stills.upright_rgb(opened)
    return _crop(upright, box, size, how)


def crop_frame(
    frame: NDArray[np.uint8], box: Box, size: int, how: str = "bilinear"
) -> NDArray[np.uint8]:
    """Return a box of a frame, uint8 RGB (height, width, 3), scaled to (size, size, 3)."""
    from PIL import Image

    return _crop(Image.fromarray(frame), box, size, how)


def _crop(upright: "Pillow.Image", box: Box, size: int, how: str) -> NDArray[np.uint8]:
    """Return a box scaled to a square; only the whole image is cropped as in training.

    The whole image is without black bars, as a frame's whole view is.
    """
    if box == WHOLE:
        box = find_content(np.asarray(upright.resize((size, size), reducing_gap=2.0)))
        if box == WHOLE:
            return _fit_square(upright, size, how)
    else:
        how = how.partition(", ")[0]
    x, y, width, height = box
    left, right = _find_pixels(x, width, upright.width)
    top, bottom = _find_pixels(y, height, upright.height)
    return _fit_square(upright.crop((left, top, right, bottom)), size, how)


def _fit_square(picture: "Pillow.Image", size: int, how: str) -> NDArray[np.uint8]:
    """Return a square of `size` pixels; a crop is of the middle, as transformers does it."""
    from PIL import Image

    name, _, fit = how.partition(", ")
    middle = None
    if fit == "centre":
        short = min(picture.size)
        width, height = (max(size, size * side // short) for side in picture.size)
        left = (width - size) // 2
        top = (height - size) // 2
        across = picture.width / width
        down = picture.height / height
        middle = (left * across, top * down, (left + size) * across, (top + size) * down)
    resampling = Image.Resampling[name.upper()]
    return np.asarray(picture.resize((size, size), resampling, middle), np.uint8)


def _find_pixels(start: float, length: float, pixels: int) -> tuple[int, int]:
    """Return the first pixel and the one after the last; at least one."""
    first = min(round(start * pixels), pixels - 1)
    return first, max(first + 1, min(round((start + length) * pixels), pixels))


def _read_bytes(source: str) -> bytes:
    """Return the bytes of a file or of what a URL gives."""
    if not source:
        raise QueryError("an image without a name finds nothing: give a path, a URL or VIDEO@TIME")
    try:
        if re.match(r"https?://", source):
            from urllib.request import urlopen

            with urlopen(source, timeout=30) as answer:
                content: bytes = answer.read(_MAX_BYTES + 1)
        else:
            with Path(os.path.expanduser(source)).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueryError(f"{source}: cannot be read: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise QueryError(f"{source}: larger than {_MAX_BYTES // 1_000_000} MB")
    return content
