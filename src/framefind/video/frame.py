"""Frames: from a decoded picture to upright RGB pixels at any size."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain, repeat
from typing import TypeAlias, TypeVar

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from framefind.video import colour
from framefind.video.geometry import Geometry, Shape
from framefind.video.thumbnail import THUMBNAIL_SIZE, encode_thumbnail

_FILTERS = {
    "bilinear": Interpolation.BILINEAR,
    "bicubic": Interpolation.BICUBIC,
    "lanczos": Interpolation.LANCZOS,
}
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT  # white stays white
_REDUCING_GAP = 2  # a picture is reduced to this many times the requested size before scaling
_MAX_REORDERED = 8  # frames whose times are collected before the first of them is given its own
_PREDICTED = {PictureType.P, PictureType.B}
_MIN_BARS = 8  # pixels; a picture that fits but for fewer is stretched instead
_MAX_CONTEXTS = 8  # swscale contexts that are kept

Depth = TypeVar("Depth", np.uint8, np.uint16)
_Convert: TypeAlias = Callable[[av.VideoFrame, int, int, Interpolation], NDArray[Depth]]


class Scaler:
    """Turns decoded pictures of one stream into RGB arrays, with one swscale context per size."""

    def __init__(self, geometry: Geometry | None = None) -> None:
        self.geometry = geometry or Geometry()
        self._contexts: dict[tuple[int, int], VideoReformatter] = {}

    def scale(
        self, picture: av.VideoFrame, width: int, height: int, how: Interpolation
    ) -> NDArray[np.uint8]:
        """Return the picture, not upright, at that size: uint8 RGB (height, width, 3).

        Everything that shows a picture gets its colours here.
        """
        conversion = colour.choose_conversion(picture)
        scaled = self._reformat(picture, width, height, how, conversion.layout)
        return conversion.finish(scaled.to_ndarray())

    def scale_deep(
        self, picture: av.VideoFrame, width: int, height: int, how: Interpolation
    ) -> NDArray[np.uint16]:
        """Return the same in the colours that are stored, HDR too: uint16 RGB."""
        scaled = self._reformat(picture, width, height, how, colour.DEEP_LAYOUT)
        return np.asarray(scaled.to_ndarray(), np.uint16)

    def _reformat(
        self, picture: av.VideoFrame, width: int, height: int, how: Interpolation, layout: str
    ) -> av.VideoFrame:
        return self._context(width, height).reformat(
            picture,
            width,
            height,
            layout,
            src_colorspace=colour.choose_matrix(picture),
            interpolation=how,
            threads=1,
        )

    def reduce(self, picture: av.VideoFrame, factor: int) -> av.VideoFrame:
        """Return the picture in its own format, smaller by that factor: the mean of each block."""
        width, height = picture.width // factor, picture.height // factor
        space = colour.choose_matrix(picture)  # by the size before the picture is reduced
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
        if len(self._contexts) > _MAX_CONTEXTS:
            self._contexts.clear()
        return self._contexts.setdefault((width, height), VideoReformatter())


class Frame:
    """One decoded picture; `t` is its time in seconds, `width` and `height` its upright pixels."""

    def __init__(self, t: float, picture: av.VideoFrame, scaler: Scaler) -> None:
        self.t = t
        self.duration = picture.duration
        """How long it is shown, in the stream's time base; 0 when unknown."""
        self._decoded = picture
        self._scaler = scaler
        self._reduced: tuple[int, av.VideoFrame] | None = None
        self._look: NDArray[np.uint8] | None = None

    @cached_property
    def _picture(self) -> av.VideoFrame:
        return self._scaler.geometry.crop(self._decoded)

    @cached_property
    def _shape(self) -> Shape:
        return self._scaler.geometry.shape(self._picture)

    @cached_property
    def _size(self) -> tuple[int, int]:
        orientation, aspect = self._shape
        width, height = max(1, round(self._picture.width * aspect)), self._picture.height
        return (height, width) if orientation.turned else (width, height)

    @property
    def is_keyframe(self) -> bool:
        """Return whether it was decoded without any other frame."""
        return bool(self._decoded.key_frame)

    @property
    def is_whole(self) -> bool:
        """Return whether it is all there if only the packets of keyframes were decoded."""
        return self.is_keyframe or self._decoded.pict_type not in _PREDICTED

    @property
    def width(self) -> int:
        """Return the upright width in pixels."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Return the upright height in pixels."""
        return self._size[1]

    def scale(self, width: int, height: int, resize: str = "bilinear") -> NDArray[np.uint8]:
        """Return the upright picture as RGB at that size: uint8 (height, width, 3), antialiased.

        `resize` is the filter, as a model names it; one that FFmpeg lacks becomes an area mean.
        """
        how = _FILTERS.get(resize.partition(",")[0], Interpolation.AREA) | _EXACT
        return self._scale_upright(width, height, how, self._scaler.scale)

    def _scale_upright(
        self, width: int, height: int, how: Interpolation, convert: _Convert[Depth]
    ) -> NDArray[Depth]:
        turned, mirrored, flipped, _ = self._shape.orientation
        if turned:
            picture = self._scale(height, width, how, convert).swapaxes(0, 1)
        else:
            picture = self._scale(width, height, how, convert)
        return np.ascontiguousarray(picture[:: -1 if flipped else 1, :: -1 if mirrored else 1])

    def _scale(
        self, width: int, height: int, how: Interpolation, convert: _Convert[Depth]
    ) -> NDArray[Depth]:
        """Return the picture at that size, not upright.

        A large one is reduced first, once for all views and the thumbnail, so that its millions of
        pixels are read once: the idea of Pillow's `reducing_gap`.
        """
        whole = self._picture
        factor = min(
            whole.width // (_REDUCING_GAP * width),
            whole.height // (_REDUCING_GAP * height),
            max(whole.width, whole.height) // (_REDUCING_GAP * THUMBNAIL_SIZE),
        )
        if factor < 2 or not _is_reducible(whole):
            return convert(whole, width, height, how)
        if self._reduced is None or self._reduced[0] > factor:
            self._reduced = factor, self._scaler.reduce(whole, factor)
        return convert(self._reduced[1], width, height, how)

    def fit(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the whole upright picture at that size, with black bars where shapes differ."""
        return self._fit(width, height, self._scaler.scale)

    def fit_deep(self, width: int, height: int) -> NDArray[np.uint16]:
        """Return the same in the colours that are stored, HDR too: uint16 (height, width, 3)."""
        return self._fit(width, height, self._scaler.scale_deep)

    def _fit(self, width: int, height: int, convert: _Convert[Depth]) -> NDArray[Depth]:
        how = Interpolation.BILINEAR | _EXACT
        factor = min(width / self.width, height / self.height)
        across, down = round(self.width * factor), round(self.height * factor)
        if width - across < _MIN_BARS and height - down < _MIN_BARS:
            return self._scale_upright(width, height, how, convert)
        picture = self._scale_upright(max(1, across), max(1, down), how, convert)
        canvas = np.zeros((height, width, 3), picture.dtype)
        left, top = (width - across) // 2, (height - down) // 2
        canvas[top : top + down, left : left + across] = picture
        return canvas

    def look(self) -> NDArray[np.uint8]:
        """Return a tiny picture to compare frames by, roughly scaled and not upright."""
        if self._look is None:
            how = Interpolation.FAST_BILINEAR
            self._look = self._scaler.scale(self._picture, 64, 36, how)
        return self._look

    def thumbnail(self) -> bytes:
        """Return the frame's thumbnail, a JPEG."""
        return encode_thumbnail(self.scale, self.width, self.height)


def _is_reducible(picture: av.VideoFrame) -> bool:
    """Return whether swscale can average a picture as it is: planes of luma and chroma."""
    return picture.format.is_planar and not picture.format.is_rgb and not colour.has_alpha(picture)


def sort_times(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield frames that come in display order, but whose times do not, with the times sorted."""
    waiting: deque[Frame] = deque()
    times: list[float] = []
    for frame in chain(frames, repeat(None)):
        if frame:
            waiting.append(frame)
            heapq.heappush(times, frame.t)
        if waiting and (len(waiting) > _MAX_REORDERED or not frame):
            first = waiting.popleft()
            first.t = heapq.heappop(times)
            yield first
        elif not frame:
            return
