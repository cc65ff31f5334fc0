"""What a browser can play: as it is, copied into another container, or only encoded anew."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.files.objects import is_remote, open_object
from framefind.video import clock
from framefind.video.clock import has_times, start_time
from framefind.video.geometry import container_crop
from framefind.video.open import best_stream, is_seekable, open_container

Kind = Literal["file", "remux", "transcode"]

_MP4_VIDEO = {"h264", "vp9", "av1"}
_WEBM_VIDEO = {"vp8", "vp9", "av1"}
_MP4_AUDIO = {"aac", "mp3", "opus", "flac"}
_WEBM_AUDIO = {"vorbis", "opus"}
_PIXELS = {"yuv420p", "yuvj420p"}

_SETUP = {"mp4", "matroska", "flv"}  # containers that tell how to decode sound as MP4 does
_EARLIER = (0.0, 2.0, 15.0, 1e9)  # seconds before, in which a keyframe is looked for


@dataclass(frozen=True)
class Playable:
    """How a browser can play a file, and why not as it is. `audio` tells if sound is copied."""

    kind: Kind
    type: str = "video/mp4"
    why: str | None = None
    copies_audio: bool = True


@lru_cache(4096)
def probe(path: str, size: int, modified: int, length: float | None = None) -> Playable:
    """Look into the first bytes of a file; `size` and `modified` tell when to look again.

    `length` is what the library knows the video to last, in seconds.
    Raises VideoError for what is no video.
    """
    with open_container(path, size) as container:
        video = best_stream(path, container)
        audio = sound(container)
        codec, pixels = video.codec_context.codec.canonical_name, video.codec_context.pix_fmt
        heard = audio.codec_context.codec.canonical_name if audio else None
        if pixels not in _PIXELS:
            return Playable("transcode", why=f"browsers do not show {codec} with {pixels} pixels")
        formats = container.format.name.split(",")
        if is_broken(path, size, container, video, length):
            return Playable("transcode", why="its clock begins anew or jumps")
        if "webm" in formats and _is_webm(path):
            if codec in _WEBM_VIDEO and (heard is None or heard in _WEBM_AUDIO):
                return Playable("file", "video/webm")
        elif container_crop(video):  # neither browsers nor copies keep to it
            return Playable("transcode", why="its pictures are cropped")
        elif "mp4" in formats and codec in _MP4_VIDEO and (heard is None or heard in _MP4_AUDIO):
            return Playable("file")
        if codec not in _MP4_VIDEO:
            return Playable("transcode", why=f"browsers do not play {codec}")
        if not has_times(container, video):
            return Playable("transcode", why=f"{formats[0]} cannot be copied into an MP4")
        why = f"browsers do not play {formats[0]} files with {codec}"
        if heard is not None and heard not in _MP4_AUDIO:
            return Playable("remux", why=f"browsers do not play {heard} sound", copies_audio=False)
        return Playable("remux", why=why, copies_audio=bool(_SETUP & set(formats)))


def is_broken(
    path: str, size: int, container: InputContainer, video: VideoStream, length: float | None
) -> bool:
    """Whether the clock of a file breaks, as far as that can be told without reading it."""
    if {"mov", "matroska"} & set(container.format.name.split(",")):
        return not is_seekable(path, container, video)
    declared = clock.length(container, video, lambda: open_container(path, size))
    return clock.is_broken(declared, length)


def sound(container: InputContainer) -> AudioStream | None:
    """The best audio stream that can be decoded."""
    best = container.streams.best("audio")
    if isinstance(best, AudioStream) and best.codec_context is not None:
        return best
    return None


def keyframe_before(path: str, size: int, start: float) -> float:
    """When the last keyframe at or before `start` is shown: where a copy can begin. Seconds."""
    found = 0.0
    for earlier in _EARLIER:
        with open_container(path, size) as container:
            video = best_stream(path, container)
            seek(path, container, video, start - earlier)
            keys = _keyframes(container, video)
            found = later = next(keys, 0.0)
            while later <= start and not is_seekable(path, container, video):
                found, later = later, next(keys, math.inf)
        if found <= start:
            break
    return found


def seek(path: str, container: InputContainer, video: VideoStream, start: float) -> None:
    """Go to the keyframe before `start`, seconds from the container's start.

    Somewhere before, where the container does not tell where its keyframes are.
    """
    if not is_seekable(path, container, video):
        start -= _EARLIER[1]
    if start > 0:
        base = video.time_base or Fraction(1, av.time_base)
        at = Fraction(start) + start_time(container, video)
        with suppress(av.FFmpegError):  # what cannot seek is read from the beginning
            container.seek(round(at / base), stream=video)


def _keyframes(container: InputContainer, video: VideoStream) -> Iterator[float]:
    """The times of the keyframes from where the container stands on."""
    for packet in container.demux(video):
        if packet.pts is not None and packet.is_keyframe:
            yield seconds(container, video, packet.pts)


def seconds(container: InputContainer, video: VideoStream, pts: int) -> float:
    """A timestamp of a stream in seconds from the container's start."""
    base = video.time_base or Fraction(1, av.time_base)
    return float(pts * base - start_time(container, video))


def _is_webm(path: str) -> bool:
    """Whether a Matroska file says that it is one of WebM's kind."""
    if is_remote(path):
        return b"webm" in open_object(path).at(0, 128)
    with Path(path).open("rb") as file:
        return b"webm" in file.read(128)
