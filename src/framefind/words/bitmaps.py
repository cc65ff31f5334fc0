"""Subtitles that are drawn (PGS of Blu-rays, VobSub of DVDs), read as pictures are.

A decoded subtitle is a picture of palette indices. PyAV does not give its palette, so that of PGS
is read here from the packets. VobSub's four colours are background, letters and their outlines, in
an order that its writer chose: each is read as if it were the letters, and the best text counts.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.subtitles.subtitle import BitmapSubtitle, SubtitleSet
from numpy.typing import NDArray

from framefind.types import Cue
from framefind.words.languages import find_language
from framefind.words.tracks import demux_tracks

_VOBSUB = "dvdsub"
_PGS = "pgssub"
_COLOURS = 256
_MIN_SIDE = 8
"""Pixels of a picture that may show letters."""
_MARGIN = 24
"""Pixels of black around a picture: lines are not found at its very edge."""
_FOREVER = 0xFFFFFFFF
"""What FFmpeg gives as the end of a subtitle that stays until the next one."""
_MAX_SECONDS = 30.0
"""Length of a subtitle without an end."""
_PALETTE = 0x14  # kinds of segments of PGS
_COMPOSITION = 0x16

Levels = NDArray[np.uint8]
"""The brightness at which each index of a palette is read, (256,)."""


def read_bitmaps(
    path: str | os.PathLike[str], alive: Callable[[], None] = lambda: None
) -> Iterator[Cue]:
    """Yield the cues of all drawn subtitles of a file, in the order of their ends, not yet tidied.

    `alive` is called for every packet. Raises WordsError for a file that breaks off, and what
    opening a video raises.
    """
    yield from read_packets(demux_tracks(path, (_PGS, _VOBSUB), alive))


def read_packets(
    packets: "Iterable[tuple[Packet[Any], Fraction]]", language: str = ""
) -> Iterator[Cue]:
    """Yield the cues of packets, each with when its times begin (seconds), not yet tidied.

    `language` is that of tracks that tell none.
    """
    tracks: dict[int, _Track] = {}
    for packet, origin in packets:
        track = tracks.setdefault(packet.stream.index, _Track(packet, origin, language))
        yield from track.add(packet)
    for track in tracks.values():
        yield from track.finish()


class _Track:
    """One track of drawn subtitles; times count from `origin`, in seconds."""

    def __init__(self, first: "Packet[Any]", origin: Fraction, language: str) -> None:
        self._origin = origin
        self._language = find_language(first.stream.metadata.get("language", "")) or language
        self._palettes: defaultdict[int, Levels] = defaultdict(_black)
        self._palette = 0
        self._open: tuple[float, str] | None = None  # what stays until the next: its start, text

    def add(self, packet: "Packet[Any]") -> Iterator[Cue]:
        """Yield the cues that end with a packet, or lie in it."""
        context = packet.stream.codec_context
        if context.name == _PGS:
            self._read_palettes(bytes(packet))
        try:
            subtitles = context.decode2(packet)
        except (av.FFmpegError, ValueError):  # the next one may be whole
            return
        if subtitles is None:
            return
        time = float((packet.pts or 0) * packet.time_base - self._origin)
        start = time + subtitles.start_display_time / 1000
        yield from self._close(start)
        text = self._read(subtitles, context.name)
        if not text:
            return
        if subtitles.end_display_time == _FOREVER:
            self._open = start, text
        else:
            end = time + subtitles.end_display_time / 1000
            yield Cue(start, end, text, "subtitles", self._language)

    def finish(self) -> Iterator[Cue]:
        """Yield the cue that no packet ended."""
        return self._close(float("inf"))

    def _close(self, t: float) -> Iterator[Cue]:
        if self._open:
            start, text = self._open
            yield Cue(start, min(t, start + _MAX_SECONDS), text, "subtitles", self._language)
            self._open = None

    def _read(self, subtitles: SubtitleSet, codec: str) -> str:
        """Return the text of what is shown together, from above."""
        if codec == _PGS:
            readings = [self._palettes[self._palette]]
        else:
            readings = [
                np.where(np.arange(_COLOURS) == i, 255, 0).astype(np.uint8) for i in range(4)
            ]
        pictures = sorted(
            (part for part in subtitles if isinstance(part, BitmapSubtitle)),
            key=lambda part: (part.y, part.x),
        )
        texts = (_read_part(part, readings) for part in pictures)
        return "\n".join(text for text in texts if text)

    def _read_palettes(self, data: bytes) -> None:
        """Note the palettes that a packet of PGS defines, and the one that it uses."""
        for kind, segment in _segments(data):
            if kind == _COMPOSITION and len(segment) > 9:
                self._palette = segment[9]
            elif kind == _PALETTE and len(segment) > 2:
                entries = np.frombuffer(segment[2 : 2 + (len(segment) - 2) // 5 * 5], np.uint8)
                index, luma, _, _, alpha = entries.reshape(-1, 5).T
                self._palettes[segment[0]][index] = luma * (alpha / 255)


def _read_part(part: BitmapSubtitle, readings: list[Levels]) -> str:
    """Return the longest text of a picture at several levels of its colours."""
    if min(part.width, part.height) < _MIN_SIDE or not part.planes:
        return ""
    buffer = memoryview(part.planes[0])  # type: ignore[arg-type]  # its stub does not say so
    indices = np.frombuffer(buffer, np.uint8).reshape(part.height, part.width)
    padded = (np.pad(levels[indices], _MARGIN) for levels in readings)
    from framefind.words.screen.picture import read_picture  # loads what runs models

    texts = (read_picture(np.stack([grey] * 3, axis=-1)) for grey in padded)
    return max(texts, key=lambda text: sum(map(str.isalnum, text)))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments of a packet of PGS: each begins with its kind and its length."""
    at = 0
    while at + 3 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        yield data[at], data[at + 3 : at + 3 + size]
        at += 3 + size


def _black() -> Levels:
    return np.zeros(_COLOURS, np.uint8)
