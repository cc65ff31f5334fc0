"""Text tracks inside a video's file, read without decoding a picture."""

import os
from collections.abc import Callable, Container, Iterator
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Discard, Stream

from framefind.errors import WordsError
from framefind.files.objects import canonical_uri, is_remote
from framefind.types import Cue
from framefind.video import clock
from framefind.video.open import (
    choose_stream,
    explain_error,
    file_size,
    open_container,
    open_remote,
)
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup


def read_tracks(
    path: str | os.PathLike[str], alive: Callable[[], None] = lambda: None
) -> Iterator[Cue]:
    """Yield the cues of all text tracks of a file, in the order of its packets, not yet tidied.

    `alive` is called for every packet. Raises WordsError for a file that breaks off, and what
    opening a video raises.
    """
    for packet, origin in demux_tracks(path, _TEXTS, alive):
        yield from _read_packet(packet, origin)


def demux_tracks(
    path: str | os.PathLike[str], codecs: Container[str], alive: Callable[[], None]
) -> "Iterator[tuple[Packet[Any], Fraction]]":
    """Yield the packets of a file's subtitles in those codecs, and when its times begin (seconds).

    `alive` is called for every packet. Raises WordsError for a file that breaks off, and what
    opening a video raises.
    """
    source = canonical_uri(os.fspath(path))
    remote = open_remote(source) if is_remote(source) else None
    size = remote.size if remote else file_size(source)
    with open_container(source, size, file=remote) as container:
        streams = [stream for stream in container.streams.subtitles if _codec(stream) in codecs]
        if not streams:
            return
        origin = clock.find_start(container, choose_stream(source, container))
        for stream in container.streams:
            stream.discard = Discard.none if stream in streams else Discard.all
        try:
            for packet in container.demux(streams):
                alive()
                if packet.size and packet.pts is not None:
                    yield packet, origin
        except (av.FFmpegError, ValueError) as error:
            raise WordsError(f"its subtitles break off: {explain_error(error)}") from error


def _read_packet(packet: "Packet[Any]", origin: Fraction) -> Iterator[Cue]:
    """Yield the cue of a packet, if it has text; times count from `origin`, in seconds."""
    if text := _TEXTS[_codec(packet.stream)](bytes(packet)):
        start = float((packet.pts or 0) * packet.time_base - origin)
        length = float((packet.duration or 0) * packet.time_base)
        language = find_language(packet.stream.metadata.get("language", "")) or ""
        yield Cue(start, start + length, text, "subtitles", language)


def _codec(stream: Stream) -> str:
    """Return the name of a subtitle stream's codec; empty where FFmpeg has no decoder for it."""
    return stream.codec_context.name if stream.codec_context else ""


def _read_plain(data: bytes) -> str:
    """Return the text of a packet of SubRip or WebVTT."""
    return strip_markup(_until_nul(data).decode("utf-8", "replace"))


def _read_other(data: bytes) -> str:
    """Return the text of a packet of WebVTT or TTML; nothing where it holds neither."""
    if data[4:8] == b"vttc":  # WebVTT in MP4: boxes
        return "\n".join(_read_plain(payload) for payload in _payloads(data[8:]))
    try:
        text = _until_nul(data).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return strip_markup(text) if all(map(_is_text, text)) else ""


def _payloads(boxes: bytes) -> Iterator[bytes]:
    """Yield the texts among the boxes of a cue."""
    at = 0
    while at + 8 <= len(boxes):
        size = max(8, int.from_bytes(boxes[at : at + 4], "big"))
        if boxes[at + 4 : at + 8] == b"payl":
            yield boxes[at + 8 : at + size]
        at += size


def _is_text(character: str) -> bool:
    return character.isprintable() or character in "\r\n\t" or ord(character) > 0x9F


def _until_nul(data: bytes) -> bytes:
    """Return the text of a packet in which some writers end it with a NUL."""
    return data.partition(b"\0")[0]


def _read_ass(data: bytes) -> str:
    """Return the text of a packet of ASS, the last of its nine fields."""
    fields = _until_nul(data).decode("utf-8", "replace").split(",", 8)
    return strip_markup(fields[8], is_ass=True) if len(fields) == 9 else ""


def _read_mov(data: bytes) -> str:
    """Return the text of a packet of mov_text: its length in two bytes, text, boxes of style."""
    text = data[2 : 2 + int.from_bytes(data[:2], "big")]
    is_utf16 = text[:2] in (b"\xfe\xff", b"\xff\xfe")
    return strip_markup(text.decode("utf-16" if is_utf16 else "utf-8", "replace"))


_TEXTS: dict[str, Callable[[bytes], str]] = {
    "": _read_other,  # FFmpeg in PyAV has no decoder for WebVTT
    "srt": _read_plain,
    "subrip": _read_plain,
    "text": _read_plain,
    "webvtt": _read_other,
    "ass": _read_ass,
    "ssa": _read_ass,
    "mov_text": _read_mov,
}
"""How the packets of each codec of text are read."""
