"""Queries: texts, pictures and weighted sums of them become one unit vector."""

import io
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.models import Model

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 100_000_000  # of a query picture; a larger one is refused before it is decoded
_MAX_BYTES = 100_000_000
_WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+):(?=.)", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One part of a sum: a text or a vector, and its weight (negative: away from it)."""

    what: str | NDArray[np.float32]
    weight: float = 1.0


def term(text: str, sign: int) -> Term:
    """Read an entry of `plus` (sign 1) or `minus` (sign -1): `snow`, or `2:snow` for double."""
    match = _WEIGHT.match(text)
    weight, rest = (float(match[1]), text[match.end() :]) if match else (1.0, text)
    return Term(rest.strip(), sign * weight)


def embed(terms: Sequence[Term], model: Model) -> NDArray[np.float32]:
    """Sum the terms, each of unit length times its weight, into one float32 unit vector.

    Raises QueryError when there is nothing to search for or the terms cancel out.
    """
    if not any(term.weight > 0 for term in terms):
        raise QueryError("nothing to search for: give a text, a picture or --plus")
    texts = [term.what for term in terms if isinstance(term.what, str)]
    if any(not text.strip() for text in texts):
        raise QueryError("an empty text finds nothing: say what the moment shows")
    embedded = iter(model.embed_texts(texts))
    total = np.zeros(model.dimensions, np.float32)
    for part in terms:
        vector = next(embedded) if isinstance(part.what, str) else part.what
        total += np.float32(part.weight) * vector
    length = float(np.linalg.norm(total))
    if not length > 1e-6:
        raise QueryError("the parts of the query cancel each other out")
    return total / np.float32(length)


def embed_picture(picture: str | Path | bytes, model: Model) -> NDArray[np.float32]:
    """Embed a whole picture, given as a path, a URL or the bytes of a file, as one unit vector.

    Raises QueryError when it cannot be read, is no picture, or is absurdly large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = "the picture" if isinstance(picture, bytes) else str(picture)
    content = picture if isinstance(picture, bytes) else _read(name)
    try:
        with Image.open(io.BytesIO(content)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                size = f"{opened.width}×{opened.height}"
                raise QueryError(f"{name}: {size} pixels are too many; scale it down")
            opened.draft("RGB", (model.size * 2, model.size * 2))  # JPEG: decode no more than that
            upright = _opaque(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise QueryError(f"{name}: not a picture that Pillow can read") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise QueryError(f"{name}: the picture cannot be decoded: {error}") from None
    pixels = np.asarray(_fitted(upright, model.size, model.resize), np.uint8)
    return np.asarray(model.embed_images(pixels[np.newaxis])[0])


def _fitted(picture: "Image.Image", size: int, how: str) -> "Image.Image":
    """The picture as a model was trained to see it: a square of `size` pixels.

    `how` is the model's `resize`. What it crops it takes from the middle, as transformers does.
    """
    from PIL import Image

    name, _, rest = how.partition(", ")
    resampling = Image.Resampling[name.upper()]
    if rest != "centre":
        return picture.resize((size, size), resampling)
    short = min(picture.size)
    width, height = (max(size, size * side // short) for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    across, down = picture.width / width, picture.height / height
    middle = (left * across, top * down, (left + size) * across, (top + size) * down)
    return picture.resize((size, size), resampling, middle)


def _opaque(picture: "Image.Image") -> "Image.Image":
    """RGB, over black where it was transparent, as video frames are."""
    from PIL import Image

    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("RGB")
    return picture.convert("RGB")


def _read(source: str) -> bytes:
    if re.match(r"https?://", source):
        try:
            with urllib.request.urlopen(source, timeout=30) as answer:
                content: bytes = answer.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise QueryError(f"{source}: cannot be fetched: {error}") from None
        if len(content) > _MAX_BYTES:
            raise QueryError(f"{source}: larger than {_MAX_BYTES // 1_000_000} MB")
        return content
    try:
        return Path(source).expanduser().read_bytes()
    except OSError as error:
        raise QueryError(f"{source}: cannot be read: {error.strerror}") from None
