"""Images of a query: files, URLs, bytes and frames of the library, whole or a box of them."""

import os
import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.files import stills
from framefind.types import Box
from framefind.video.views import WHOLE

if TYPE_CHECKING:
    from PIL import Image as Pillow

_MAX_BYTES = 100_000_000


def read(
    picture: str | Path | bytes, box: Box, size: int, how: str = "bilinear"
) -> NDArray[np.uint8]:
    """The pixels of a box of a picture, given as a path, a URL or the bytes of a file.

    Returns uint8 RGB (size, size, 3), upright; `how` is the model's `resize`. Raises QueryError
    when it cannot be read, is no picture, or is absurdly large.
    """
    name = "the picture" if isinstance(picture, bytes) else str(picture)
    content = picture if isinstance(picture, bytes) else _content(name)
    enough = round(2 * size / min(box[2:]))
    with stills.opened(content, name) as opened:
        opened.draft("RGB", (enough, enough))  # JPEG: decode no more than that
        upright = stills.upright_rgb(opened)
    return _cut(upright, box, size, how)


def cut(frame: NDArray[np.uint8], box: Box, size: int, how: str = "bilinear") -> NDArray[np.uint8]:
    """A box of a frame, uint8 RGB (height, width, 3), scaled to (size, size, 3) like `read`."""
    from PIL import Image

    return _cut(Image.fromarray(frame), box, size, how)


def _cut(upright: "Pillow.Image", box: Box, size: int, how: str) -> NDArray[np.uint8]:
    """The whole picture as the model was trained to see it; of a box, nothing is cropped away."""
    if box == WHOLE:
        return _fitted(upright, size, how)
    x, y, width, height = box
    left, right = _span(x, width, upright.width)
    top, bottom = _span(y, height, upright.height)
    return _fitted(upright.crop((left, top, right, bottom)), size, how.partition(", ")[0])


def _fitted(picture: "Pillow.Image", size: int, how: str) -> NDArray[np.uint8]:
    """A square of `size` pixels; what is cropped is taken from the middle, as transformers does."""
    from PIL import Image

    name, _, rest = how.partition(", ")
    middle = None
    if rest == "centre":
        short = min(picture.size)
        width, height = (max(size, size * side // short) for side in picture.size)
        left, top = (width - size) // 2, (height - size) // 2
        across, down = picture.width / width, picture.height / height
        middle = (left * across, top * down, (left + size) * across, (top + size) * down)
    resampling = Image.Resampling[name.upper()]
    return np.asarray(picture.resize((size, size), resampling, middle), np.uint8)


def _span(start: float, length: float, pixels: int) -> tuple[int, int]:
    """From the first pixel to the one after the last; at least one."""
    first = min(round(start * pixels), pixels - 1)
    return first, max(first + 1, min(round((start + length) * pixels), pixels))


def _content(source: str) -> bytes:
    """Return the bytes of a file or of what a URL gives."""
    try:
        if re.match(r"https?://", source):
            with urllib.request.urlopen(source, timeout=30) as answer:
                content: bytes = answer.read(_MAX_BYTES + 1)
        else:
            with Path(os.path.expanduser(source)).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise QueryError(f"{source}: cannot be read: {said}") from None
    if len(content) > _MAX_BYTES:
        raise QueryError(f"{source}: larger than {_MAX_BYTES // 1_000_000} MB")
    return content
