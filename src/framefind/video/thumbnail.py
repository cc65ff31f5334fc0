"""The thumbnail of a frame: a small JPEG, stored beside its vectors."""

import io

from PIL import Image

from framefind.video.views import Scale

THUMBNAIL_SIZE = 320
"""The long side of a thumbnail, in pixels."""

THUMBNAIL_QUALITY = 80
"""The JPEG quality of a thumbnail, of 100."""


def encode_thumbnail(scale: Scale, width: int, height: int) -> bytes:
    """Encode a frame of that many upright pixels as a JPEG of `THUMBNAIL_SIZE` on the long side.

    A smaller frame keeps its size.
    """
    factor = min(1.0, THUMBNAIL_SIZE / max(width, height))
    pixels = scale(max(1, round(width * factor)), max(1, round(height * factor)))
    return encode_jpeg(Image.fromarray(pixels), THUMBNAIL_QUALITY)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode an RGB image as a JPEG of that quality, of 100."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
