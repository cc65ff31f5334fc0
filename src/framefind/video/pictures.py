"""From a decoded picture to upright RGB pixels at any size."""

import heapq
import io
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, cached_property
from itertools import chain, repeat
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL = 320
"""The long side of a thumbnail, in pixels."""

_FILTERS = {
    "bilinear": Interpolation.BILINEAR,
    "bicubic": Interpolation.BICUBIC,
    "lanczos": Interpolation.LANCZOS,
}
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT  # white stays white
_LARGE = 2  # how many times as large as asked for a picture is that was made smaller before
_HELD = 8  # frames to look ahead for the order of times
_SIZES = 8  # how many swscale contexts are kept
_NAMED_SPACES = {1, 4, 5, 6, 7, 9}  # AVColorSpace values whose matrix swscale knows
_PQ = 16  # AVCOL_TRC_SMPTE2084


class Orientation(NamedTuple):
    """How to show a picture: swap its axes, then mirror it left-right, then flip it top-bottom.

    `stretch` is the width of a stored pixel over its height, where the file's matrix says so and
    FFmpeg gets it wrong; else None.
    """

    turned: bool
    mirrored: bool
    flipped: bool
    stretch: Fraction | None


def orientation(picture: av.VideoFrame) -> Orientation:
    """Read a picture's display matrix, as the nearest of the eight ways to lay a rectangle."""
    try:
        matrix = picture.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
    except (KeyError, ValueError):  # ValueError: it has side data of a kind unknown to PyAV
        return Orientation(False, False, False, None)
    # x is shown at a·x + c·y, y at b·x + d·y.
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0, None)
    stretch = Fraction(abs(b), abs(c)) if b and c else Fraction(1)
    uneven = abs(stretch - 1) > Fraction(1, 100)  # FFmpeg divides the other way round
    return Orientation(True, c < 0, b < 0, stretch if uneven else None)


class Scaler:
    """Turns decoded pictures into RGB arrays, and keeps one swscale context per size.

    `aspect` is the width of a stored pixel over its height.
    """

    def __init__(self, aspect: Fraction | None) -> None:
        self._aspect = aspect or Fraction(1)
        self._contexts: dict[tuple[int, int], VideoReformatter] = {}

    def square(self, picture: av.VideoFrame, stretch: Fraction | None) -> tuple[int, int]:
        """Width and height of a picture in square pixels, not yet upright."""
        aspect = stretch or self._aspect
        if not Fraction(1, 16) <= aspect <= 16:  # nonsense
            aspect = Fraction(1)
        return max(1, round(picture.width * aspect)), picture.height

    def scale(
        self, picture: av.VideoFrame, width: int, height: int, how: Interpolation
    ) -> NDArray[np.uint8]:
        """The picture, not upright, at that size: uint8 RGB (height, width, 3).

        Scales and converts in one pass. Alpha is laid over black; the brightness of HDR10 is
        brought into range.
        """
        alpha = _has_alpha(picture)
        hdr = picture.color_trc == _PQ and not alpha
        scaled = self._context(width, height).reformat(
            picture,
            width,
            height,
            "rgba" if alpha else "rgb48le" if hdr else "rgb24",
            src_colorspace=_colorspace(picture),
            interpolation=how,
            threads=1,
        )
        pixels = scaled.to_ndarray()
        if hdr:
            return _tone_mapped(pixels.astype(np.uint16, copy=False))
        return (
            _over_black(pixels.astype(np.uint8, copy=False))
            if alpha
            else pixels.astype(np.uint8, copy=False)
        )

    def reduce(self, picture: av.VideoFrame, factor: int) -> av.VideoFrame:
        """The picture in its own format, smaller by that factor: the mean of each block."""
        width, height = picture.width // factor, picture.height // factor
        space = _colorspace(picture)  # of what is small, nobody could tell it any more
        return self._context(width, height).reformat(
            picture,
            width,
            height,
            src_colorspace=space,
            dst_colorspace=space,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
            threads=1,
        )

    def _context(self, width: int, height: int) -> VideoReformatter:
        if len(self._contexts) > _SIZES:
            self._contexts.clear()
        return self._contexts.setdefault((width, height), VideoReformatter())


class Frame:
    """One decoded picture; `t` is its time in seconds, `width` and `height` its upright pixels."""

    def __init__(self, t: float, picture: av.VideoFrame, scaler: Scaler) -> None:
        self.t = t
        self._picture = picture
        self._scaler = scaler
        self._reduced = 1, picture

    @cached_property
    def _orientation(self) -> Orientation:
        return orientation(self._picture)

    @cached_property
    def _size(self) -> tuple[int, int]:
        width, height = self._scaler.square(self._picture, self._orientation.stretch)
        return (height, width) if self._orientation.turned else (width, height)

    @property
    def width(self) -> int:
        """Upright pixels across."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Upright pixels down."""
        return self._size[1]

    def scale(self, width: int, height: int, resize: str = "bilinear") -> NDArray[np.uint8]:
        """The upright picture as RGB at that size: uint8 (height, width, 3), antialiased.

        `resize` is the filter, as a model names it; the mean of areas where FFmpeg has not got it.
        """
        turned, mirrored, flipped, _ = self._orientation
        how = _FILTERS.get(resize.partition(",")[0], Interpolation.AREA) | _EXACT
        if turned:
            picture = self._scale(height, width, how).swapaxes(0, 1)
        else:
            picture = self._scale(width, height, how)
        return np.ascontiguousarray(
            picture[:: -1 if flipped else 1, :: -1 if mirrored else 1], dtype=np.uint8
        )

    def _scale(self, width: int, height: int, how: Interpolation) -> NDArray[np.uint8]:
        """The picture, not upright, at that size.

        A large one is made smaller first, and that serves all views and the thumbnail, so that its
        millions of pixels are gone through once: the idea of Pillow's `reducing_gap`.
        """
        whole = self._picture
        across, down = whole.width // (_LARGE * width), whole.height // (_LARGE * height)
        factor = min(across, down, max(whole.width, whole.height) // (_LARGE * THUMBNAIL))
        if factor > 1 and _is_reducible(whole) and not 1 < self._reduced[0] <= factor:
            self._reduced = factor, self._scaler.reduce(whole, factor)
        return self._scaler.scale(self._reduced[1] if factor > 1 else whole, width, height, how)

    def look(self) -> NDArray[np.uint8]:
        """A tiny picture, not upright and roughly scaled, to compare frames by."""
        return self._scaler.scale(self._picture, 64, 36, Interpolation.FAST_BILINEAR)

    def thumbnail(self) -> bytes:
        """A JPEG, `THUMBNAIL` pixels on the long side (a smaller frame keeps its size)."""
        factor = min(1.0, THUMBNAIL / max(self._size))
        width, height = (max(1, round(side * factor)) for side in self._size)
        file = io.BytesIO()
        Image.fromarray(self.scale(width, height)).save(file, "JPEG", quality=80)
        return file.getvalue()


def _has_alpha(picture: av.VideoFrame) -> bool:
    return any(part.is_alpha for part in picture.format.components)


def _is_reducible(picture: av.VideoFrame) -> bool:
    """Whether swscale can average a picture's pixels as they are: planes of brightness, colour."""
    return picture.format.is_planar and not picture.format.is_rgb and not _has_alpha(picture)


def sorted_times(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Give frames that come in the order of showing their times in that order, too."""
    held: deque[Frame] = deque()
    times: list[float] = []
    for frame in chain(frames, repeat(None)):
        if frame:
            held.append(frame)
            heapq.heappush(times, frame.t)
        if held and (len(held) > _HELD or not frame):
            first = held.popleft()
            first.t = heapq.heappop(times)
            yield first
        elif not frame:
            return


def _colorspace(picture: av.VideoFrame) -> Colorspace | None:
    """The matrix to assume where the file names none: BT.709 for HD, BT.601 below."""
    if picture.format.is_rgb or picture.colorspace in _NAMED_SPACES:
        return None
    hd = picture.width >= 1280 or picture.height > 576
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def _over_black(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    if not alpha.any():  # a plane that was never filled in, not a picture of nothing
        return np.ascontiguousarray(colour)
    return (colour.astype(np.uint16) * alpha // 255).astype(np.uint8)


# -- HDR10: ITU-R BT.2100 PQ in BT.2020 colours, to sRGB

_WHITE = 203.0  # nits of a diffuse white in HDR (ITU-R BT.2408)
_PEAK = 1000.0 / _WHITE
_TO_BT709 = np.array(  # ITU-R BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_STEPS = 4095


def _tone_mapped(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Bring PQ pixels into the range of a plain screen, by Reinhard's extended curve."""
    light, encoded = _tables()
    linear = np.maximum(light[pixels] @ _TO_BT709.T, 0.0)
    brightest = linear.max(axis=-1, keepdims=True)
    linear *= (1 + brightest / _PEAK**2) / (1 + brightest)
    shown: NDArray[np.uint8] = encoded[np.minimum(linear * _STEPS, _STEPS).astype(np.int16)]
    return shown


@cache
def _tables() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """PQ's 16 bits to light (1: diffuse white), and light in `_STEPS` to sRGB's 8 bits."""
    signal = (np.arange(65536) / 65535) ** (1 / 78.84375)
    light = (np.maximum(signal - 0.8359375, 0) / (18.8515625 - 18.6875 * signal)) ** (
        1 / 0.1593017578125
    )
    steps = np.arange(_STEPS + 1) / _STEPS
    encoded = np.where(steps <= 0.0031308, 12.92 * steps, 1.055 * steps ** (1 / 2.4) - 0.055)
    return (light * 10000 / _WHITE).astype(np.float32), np.rint(encoded * 255).astype(np.uint8)
