"""Images of a query: files, URLs, bytes and frames of the library, whole or a box of them."""

import os
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.arguments import several
from framefind.errors import QueryError
from framefind.files import stills
from framefind.search.moments import Moment
from framefind.video.views import WHOLE, Box

if TYPE_CHECKING:
    from PIL import Image as Pillow

_MAX_BYTES = 100_000_000
_BOX = re.compile(r"(?P<of>.+)#(?P<box>[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+)", re.DOTALL)


@dataclass(frozen=True)
class Crop:
    """A box of an image, in fractions of the upright picture: x, y, width, height.

    What it is `of` is a path, a URL, the bytes of a picture, a frame of the library (`video@t`) or
    a Moment. As a text it is written `car.jpg#0.1,0.2,0.5,0.5`.
    """

    of: str | Path | bytes | Moment
    box: Box

    def __post_init__(self) -> None:
        """Raises QueryError when the box is none, or reaches out of the picture."""
        numbers = len(self.box) == 4 and all(0 <= side <= 1 for side in self.box)
        if numbers:
            x, y, width, height = self.box
            if width > 0 and height > 0 and max(x + width, y + height) <= 1 + 1e-6:
                return
        said = ",".join(f"{side:g}" for side in self.box)
        raise QueryError(
            f"box {said}: give x,y,width,height as fractions of the picture, such as "
            "0.25,0.25,0.5,0.5"
        )

    @classmethod
    def parse(cls, text: str) -> "Crop | None":
        """Read `car.jpg#0.1,0.2,0.5,0.5`; None if it has no box, or is the name of a file."""
        match = _BOX.fullmatch(text)
        if match is None or os.path.exists(os.path.expanduser(text)):
            return None
        try:
            x, y, width, height = map(float, match["box"].split(","))
        except ValueError:  # such as 1.2.3
            return None
        return cls(match["of"], (x, y, width, height))


Image = str | Path | bytes | Moment | Crop
"""What can be searched for by its looks."""


def listed(image: Image | Sequence[Image] | None) -> list[Image]:
    """None, one or several images as a list."""
    return several(image)


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
