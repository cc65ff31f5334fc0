"""Choose the format of a clip's file: that of its video, where that can hold the clip."""

import io
from functools import cache
from pathlib import Path

import av

from framefind.errors import StoreError, VideoError
from framefind.output.clips.encoder import ENCODERS, choose_encoder
from framefind.output.clips.source import find_size, list_sounds
from framefind.video.open import choose_stream, open_container

_FORMATS = {
    ".mp4": "mp4",
    ".m4v": "ipod",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""FFmpeg's name of what can be written, by suffix."""

_EDITORS_CODECS = {"prores", "dnxhd"}
_NOT_IN_MOV = {
    *("vp9", "libvpx-vp9", "av1", "libdav1d", "libsvtav1", "libaom-av1"),
    *("flac", "opus", "libopus", "truehd"),
}
"""Codecs of MP4 that FFmpeg lists for MOV, too, and then refuses."""

_UNSIGNED = "vp9 of 4:4:0"
"""What FFmpeg writes into MP4 and MOV, and no program opens: they cannot declare such pixels."""

_NOT_IN_MATROSKA = {"rv10", "rv20"}  # likewise
_ANY_SUFFIX = ".mkv"  # holds nearly every codec


def clip_suffix(path: str, codec: str | None) -> str:
    """Return the suffix of a clip's file: that of its video, where that format can hold it."""
    suffix = Path(path).suffix.lower()
    if codec in ("prores_ks", "dnxhd"):
        return ".mov"
    if suffix == ".webm" and codec:
        return _ANY_SUFFIX
    codecs = _list_codecs(path, codec)
    preferred = (".mov", ".mkv") if codecs & _EDITORS_CODECS else (".mkv", ".mov")
    likely = (each for each in (suffix, *preferred) if each in _FORMATS)
    fitting = (each for each in likely if codecs <= _supported(each))
    return next(fitting, _ANY_SUFFIX)


def can_hold(suffix: str, codec: str) -> bool:
    """Return whether a file with that suffix can hold what a codec, by FFmpeg's name, made."""
    return codec not in _NOT_IN_MATROSKA and codec in _supported(suffix)


def _list_codecs(path: str, codec: str | None) -> set[str]:
    """Return FFmpeg's names of a clip's codecs; none if its video cannot be opened."""
    try:
        with open_container(path, find_size(path)) as source:
            sounds = {each.codec_context.codec.name for each in list_sounds(source)}
            stream = choose_stream(path, source)
            codec_of_video = stream.codec_context.codec
            encoder = codec or choose_encoder(stream)
            pixels = stream.codec_context.pix_fmt or ""
    except (VideoError, StoreError):
        return set()
    codecs = {encoder, *sounds}
    if not codec and codec_of_video.canonical_name in ENCODERS:
        codecs.add(codec_of_video.name)
        if codec_of_video.canonical_name == "vp9" and pixels.startswith("yuv440p"):
            codecs.add(_UNSIGNED)
    return codecs


@cache
def _supported(suffix: str) -> frozenset[str]:
    with av.open(io.BytesIO(), "w", format=_FORMATS[suffix]) as output:
        return frozenset(output.supported_codecs - (_NOT_IN_MOV if suffix == ".mov" else set()))
