"""From a decoded picture to upright RGB pixels at any size."""

import heapq
import io
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, repeat

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from framefind.video import colour
from framefind.video.geometry import Geometry, Shape

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
_BARS = 8  # pixels at which two shapes differ
_SIZES = 8  # how many swscale contexts are kept


class Scaler:
    """Turns decoded pictures of one stream into RGB arrays; keeps one swscale context per size.

    `geometry` tells their shapes.
    """

    def __init__(self, geometry: Geometry | None = None) -> None:
        self.geometry = geometry or Geometry()
        self._contexts: dict[tuple[int, int], VideoReformatter] = {}

    def scale(
        self, picture: av.VideoFrame, width: int, height: int, how: Interpolation
    ) -> NDArray[np.uint8]:
        """Return the picture, not upright, at that size: uint8 RGB (height, width, 3).

        Everything that shows a picture gets its colours here.
        """
        conversion = colour.conversion(picture)
        scaled = self._context(width, height).reformat(
            picture,
            width,
            height,
            conversion.layout,
            src_colorspace=colour.matrix(picture),
            interpolation=how,
            threads=1,
        )
        return conversion.finish(scaled.to_ndarray())

    def reduce(self, picture: av.VideoFrame, factor: int) -> av.VideoFrame:
        """The picture in its own format, smaller by that factor: the mean of each block."""
        width, height = picture.width // factor, picture.height // factor
        space = colour.matrix(picture)  # of what is small, nobody could tell it any more
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
        self.duration = picture.duration
        """For how long it is shown, in the stream's time base; 0 when unknown."""
        self._decoded = picture
        self._scaler = scaler
        self._reduced: tuple[int, av.VideoFrame] | None = None

    @cached_property
    def _picture(self) -> av.VideoFrame:
        return self._scaler.geometry.cropped(self._decoded)

    @cached_property
    def _shape(self) -> Shape:
        return self._scaler.geometry.shape(self._picture)

    @cached_property
    def _size(self) -> tuple[int, int]:
        orientation, aspect = self._shape
        width, height = max(1, round(self._picture.width * aspect)), self._picture.height
        return (height, width) if orientation.turned else (width, height)

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
        turned, mirrored, flipped, _ = self._shape.orientation
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
        if factor < 2 or not _is_reducible(whole):
            return self._scaler.scale(whole, width, height, how)
        if self._reduced is None or self._reduced[0] > factor:
            self._reduced = factor, self._scaler.reduce(whole, factor)
        return self._scaler.scale(self._reduced[1], width, height, how)

    def fit(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return all of the upright picture in one of that size, with bars where shapes differ."""
        factor = min(width / self.width, height / self.height)
        across, down = round(self.width * factor), round(self.height * factor)
        if width - across < _BARS and height - down < _BARS:
            return self.scale(width, height)
        shown = np.zeros((height, width, 3), np.uint8)
        left, top = (width - across) // 2, (height - down) // 2
        shown[top : top + down, left : left + across] = self.scale(max(1, across), max(1, down))
        return shown

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


def _is_reducible(picture: av.VideoFrame) -> bool:
    """Whether swscale can average a picture's pixels as they are: planes of brightness, colour."""
    return picture.format.is_planar and not picture.format.is_rgb and not colour.has_alpha(picture)


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
