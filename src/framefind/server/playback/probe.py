"""How a browser can play a file: as it is, remuxed into another container, or encoded again."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.files.objects import is_remote, open_object
from framefind.video.clock import find_start, has_broken_clock, has_times
from framefind.video.geometry import read_container_margins
from framefind.video.open import choose_stream, is_seekable, open_container
from framefind.video.sound import choose_sound

Kind = Literal["file", "remux", "transcode"]

_MP4_VIDEO_CODECS = {"h264", "vp9", "av1"}
_WEBM_VIDEO_CODECS = {"vp8", "vp9", "av1"}
_MP4_AUDIO_CODECS = {None, "aac", "mp3", "opus", "flac"}  # None: there is no sound
_WEBM_AUDIO_CODECS = {None, "vorbis", "opus"}
_PIXEL_FORMATS = {"yuv420p", "yuvj420p"}

_GLOBAL_HEADER_FORMATS = {"mp4", "matroska", "flv"}  # describe sound as MP4 does
_KEYFRAME_SEARCH_SECONDS = (0.0, 2.0, 15.0, 1e9)  # before a time, one after another


@dataclass(frozen=True)
class Playable:
    """How a browser can play a file, and why not as it is; whether a remux copies the sound."""

    kind: Kind
    type: str = "video/mp4"
    why: str | None = None
    copies_audio: bool = True


@lru_cache(4096)
def probe(path: str, size: int, modified: int, duration: float | None = None) -> Playable:
    """Return how a browser can play a file, from its first bytes.

    `size` and `modified` make the cache read a changed file again; `duration` is that of the video
    in seconds, if known. Raises VideoError if the file is no video.
    """
    with open_container(path, size) as container:
        video = choose_stream(path, container)
        codec = video.codec_context.codec.canonical_name
        pixels = video.codec_context.pix_fmt
        audio = choose_sound(container)
        sound = audio.codec_context.codec.canonical_name if audio else None
        formats = container.format.name.split(",")
        if pixels not in _PIXEL_FORMATS:
            return Playable("transcode", why=f"browsers do not show {codec} with {pixels} pixels")
        again = partial(open_container, path, size)
        if has_broken_clock(path, container, video, again, duration):
            return Playable("transcode", why="its clock starts again or jumps")
        if "webm" in formats and _is_webm(path):
            if codec in _WEBM_VIDEO_CODECS and sound in _WEBM_AUDIO_CODECS:
                return Playable("file", "video/webm")
        elif read_container_margins(video):  # browsers and MP4 ignore the crop
            return Playable("transcode", why="its pictures are cropped")
        elif "mp4" in formats and codec in _MP4_VIDEO_CODECS and sound in _MP4_AUDIO_CODECS:
            return Playable("file")
        if codec not in _MP4_VIDEO_CODECS:
            return Playable("transcode", why=f"browsers do not play {codec}")
        if not has_times(container, video):
            return Playable("transcode", why=f"{formats[0]} cannot be copied into an MP4")
        if sound not in _MP4_AUDIO_CODECS:
            return Playable("remux", why=f"browsers do not play {sound} sound", copies_audio=False)
        why = f"browsers do not play {formats[0]} files with {codec}"
        return Playable("remux", why=why, copies_audio=bool(_GLOBAL_HEADER_FORMATS & set(formats)))


def keyframe_before(path: str, size: int, start: float) -> float:
    """Return the time (s) of the last keyframe at or before `start`, where a copy can begin."""
    keyframe = 0.0
    for earlier in _KEYFRAME_SEARCH_SECONDS:
        with open_container(path, size) as container:
            video = choose_stream(path, container)
            seek(path, container, video, start - earlier)
            times = _keyframe_times(container, video)
            keyframe = following = next(times, 0.0)
            while following <= start and not is_seekable(path, container, video):
                keyframe = following
                following = next(times, math.inf)
        if keyframe <= start:
            break
    return keyframe


def seek(path: str, container: InputContainer, video: VideoStream, start: float) -> None:
    """Seek to the keyframe before `start`, in seconds from the container's start.

    In a container without an index of keyframes, to somewhere before `start`.
    """
    if not is_seekable(path, container, video):
        start -= _KEYFRAME_SEARCH_SECONDS[1]
    if start > 0:
        base = video.time_base or Fraction(1, av.time_base)
        t = Fraction(start) + find_start(container, video)
        with suppress(av.FFmpegError):  # a container that cannot seek is read from its beginning
            container.seek(round(t / base), stream=video)


def _keyframe_times(container: InputContainer, video: VideoStream) -> Iterator[float]:
    """Yield the times of the keyframes from the container's position on, in seconds."""
    for packet in container.demux(video):
        if packet.pts is not None and packet.is_keyframe:
            yield _seconds(container, video, packet.pts)


def _seconds(container: InputContainer, video: VideoStream, pts: int) -> float:
    """Return a timestamp of a stream in seconds from the container's start."""
    base = video.time_base or Fraction(1, av.time_base)
    return float(pts * base - find_start(container, video))


def _is_webm(path: str) -> bool:
    """Return whether the header of a Matroska file names WebM."""
    if is_remote(path):
        return b"webm" in open_object(path).at(0, 128)
    with Path(path).open("rb") as file:
        return b"webm" in file.read(128)
