"""Decode still pictures of any depth, colour model and orientation to upright RGB in sRGB."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError

if TYPE_CHECKING:
    from PIL import Image as Pillow

MAX_PIXELS = 80_000_000
"""The largest picture that is decoded, in pixels."""

MAX_UPLOADED_PIXELS = 25_000_000
"""The largest picture that a client of the server may upload, in pixels."""

UPLOADED = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP")
"""Formats that a client of the server may upload."""

FORMATS = (
    *UPLOADED,
    *("DDS", "DIB", "ICO", "JPEG2000", "PCX", "PPM", "PSD", "QOI", "SGI", "TGA", "TIFF"),
)
"""All formats that are decoded; none starts another program, as PostScript would."""

_USUAL_DEPTHS = (8, 10, 12, 16, 31, 32)  # bits of integer grey
_ORIENTATION = 0x0112  # a tag of EXIF's and TIFF's
_PHOTOMETRIC = 262  # TIFF's
_WHITE_IS_ZERO = 0
_SAMPLE_FORMAT = 339
_UNSIGNED = (1,)


@contextmanager
def opened(
    content: bytes,
    name: str,
    formats: tuple[str, ...] = FORMATS,
    max_pixels: int = MAX_PIXELS,
) -> Iterator["Pillow.Image"]:
    """Open a picture, and turn errors while its pixels are decoded into ours, with its `name`.

    Raises QueryError when it is in none of the formats, is too large, or is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=formats) as picture:
            if picture.width * picture.height > max_pixels:
                raise QueryError(
                    f"{name}: {picture.width} × {picture.height} pixels are too many; "
                    f"scale it down to {max_pixels:,} or fewer"
                )
            yield picture
    except UnidentifiedImageError:
        names = ", ".join(formats)
        raise QueryError(
            f"{name}: not a picture, or damaged; what can be read is {names}: "
            "save it as PNG or JPEG"
        ) from None
    except Image.DecompressionBombError:
        raise QueryError(
            f"{name}: too many pixels; scale it down to {max_pixels:,} or fewer"
        ) from None
    except QueryError:
        raise
    except Exception as error:  # decoders of damaged pictures raise anything
        reason = str(error) or type(error).__name__
        raise QueryError(
            f"{name}: the picture cannot be decoded, it is damaged or cut off: {reason}; "
            "save it again as PNG or JPEG"
        ) from None


def upright_rgb(picture: "Pillow.Image") -> "Pillow.Image":
    """Return an opened picture in RGB: upright, in sRGB, over black where it is transparent."""
    from PIL import Image, ImageOps

    profile = picture.info.get("icc_profile")
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        picture.load()
        grey = Image.fromarray(_grey(picture))
        grey.getexif()[_ORIENTATION] = picture.getexif().get(_ORIENTATION, 1)
        picture = grey
        profile = None
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        black = Image.new("RGBA", layer.size, "black")
        upright = Image.alpha_composite(black, layer).convert("RGB")
    elif upright.mode not in ("RGB", "L", "CMYK", "LAB"):
        upright = upright.convert("RGB")
    return _in_srgb(upright, profile)


def _in_srgb(picture: "Pillow.Image", profile: bytes | None) -> "Pillow.Image":
    """Return a picture of RGB, L, CMYK or LAB in RGB, by its colour profile if it has a valid one.

    A profile of another colour model than the picture's is ignored.
    """
    from PIL import ImageCms

    lab = picture.mode == "LAB"
    if lab or profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = (
                ImageCms.createProfile("LAB")
                if lab
                else ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
            )
            if not lab and "sRGB" in ImageCms.getProfileDescription(source):
                return picture.convert("RGB")
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return picture.convert("RGB")


def _grey(picture: "Pillow.Image") -> NDArray[np.uint8]:
    """Return a grey picture of more than 8 bits in 8 bits."""
    values = np.asarray(picture)
    tags: Any = getattr(picture, "tag_v2", {})  # TIFF's, of which Pillow heeds not all
    if values.dtype == np.int32 and tags and tags.get(_SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED:
        values = values.view(np.uint32)
    grey = _eight_bits(values)
    return 255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return deep grey values in 8 bits.

    White is the largest value of the smallest usual depth that holds all values; 1 for floats.
    Unusual ranges are stretched: values below 0, floats above 1, and more than 16 bits of which
    less than half is used. NaN becomes black, infinity the largest or smallest finite value.
    """
    numbers = values.astype(np.float32)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    numbers = np.nan_to_num(numbers, nan=max(low, 0.0), posinf=high, neginf=low)
    fractions = values.dtype.kind == "f"
    whites = [1.0] * fractions + [2.0**bits - 1 for bits in _USUAL_DEPTHS]
    white = next((white for white in whites if white >= high), high)
    unusual = fractions or white > 2**16
    if low < 0 or (unusual and white > 1 and high < white / 2):
        white = high
    black = min(low, 0.0)
    return np.asarray(np.rint((numbers - black) * (255 / max(white - black, 1e-12))), np.uint8)
