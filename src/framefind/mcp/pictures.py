"""Frames of a video as pictures for a model: of the size that it sees well, and no larger."""

import base64
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.errors import QueryError, StoreError, VideoError
from framefind.files.names import native_path, openable_path
from framefind.library import Library
from framefind.search.filters import VideoNames
from framefind.types import Moment, Video
from framefind.video import shown
from framefind.video.thumbnail import encode_jpeg
from framefind.video.views import WHOLE

_ONE_SIZE = 768  # pixels of the longer side of a frame that comes alone
_STRIP_SIZE = 320  # pixels of the longer side of a frame in a strip
_QUALITY = 80  # of JPEG
_END_SECONDS = 0.05  # before a video's end, where its last frame still stands


@dataclass(frozen=True)
class Shown:
    """Frames of the video at `path`, by their times in seconds, as JPEGs."""

    path: str
    times: list[float]
    jpegs: list[bytes]
    notes: list[str]


def frames(
    library: Library, video: str, t: float, end: float | None, count: int, size: int | None
) -> Shown:
    """Return the frame shown at `t`, or `count` of them, evenly spread up to `end`.

    `size` is the longer side in pixels. Where the video's file is not there, the library's own
    thumbnails stand in, and a note says so. Raises QueryError when there is no such video or time,
    and VideoError when it cannot be decoded.
    """
    row = _find_row(library, video)
    _check_time(row, t)
    last = None if row.duration is None else max(0.0, row.duration - _END_SECONDS)
    times = [t]
    if end is not None:
        if end <= t:
            raise QueryError(f"`end` {end:g} must come after `t` {t:g}")
        times = np.linspace(t, end if last is None else max(t, min(end, last)), count).tolist()
    size = size or (_ONE_SIZE if end is None else _STRIP_SIZE)
    try:
        pictures = shown.frames(openable_path(row.paths), times)
        jpegs = [_encode(pixels, size) for pixels in pictures]
        notes = []
    except (StoreError, VideoError) as error:
        if isinstance(error, VideoError) and Path(native_path(row.path)).exists():
            raise
        jpegs = _read_thumbnails(library, row, times)
        notes = [f"thumbnails of the nearest sampled frames, since the file is away: {error}"]
    return Shown(row.path, times, jpegs, notes)


def frame_of(library: Library, video: str, t: float) -> Moment:
    """Return a frame as an image to search for. Raises QueryError for no such video or time."""
    return span_of(library, video, t, t)


def span_of(library: Library, video: str, start: float, end: float) -> Moment:
    """Return a span of a video as a moment, cut off where the video ends.

    Raises QueryError when there is no such video or time.
    """
    row = _find_row(library, video)
    _check_time(row, start)
    end = end if row.duration is None else min(end, row.duration)
    return replace(_as_moment(row, start), end=end)


def _check_time(row: Video, t: float) -> None:
    """Raise QueryError for a time after the end of a video."""
    if row.duration is not None and t >= row.duration:
        raise QueryError(f"{t:g} s: {row.path} is only {row.duration:g} seconds long")


def encode_base64(jpeg: bytes) -> str:
    """Return bytes as the protocol carries them."""
    return base64.b64encode(jpeg).decode("ascii")


def _find_row(library: Library, video: str) -> Video:
    rows = {row.video_id: row for row in library.videos()}
    return rows[VideoNames(rows.values()).find(video)]


def _as_moment(row: Video, t: float) -> Moment:
    return Moment(row.path, row.video_id, t, t, t, 0.0, 0.0, WHOLE)


def _encode(pixels: NDArray[np.uint8], size: int) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((size, size))
    return encode_jpeg(image, _QUALITY)


def _read_thumbnails(library: Library, row: Video, times: list[float]) -> list[bytes]:
    """Return the library's thumbnails. Raises VideoError when it has lost them."""
    stored = library.thumbnails([_as_moment(row, t) for t in times])
    jpegs = [jpeg for jpeg in stored if jpeg]
    if len(jpegs) < len(times):
        raise VideoError(f"{row.path}: the file is away, and the library has no pictures of it")
    return jpegs
