"""SubRip and WebVTT: a line of times, then lines of text."""

import re
from collections.abc import Iterator
from itertools import takewhile

from framefind.types import Cue
from framefind.words.markup import strip_markup

_TIME = r"[^\S\n]*(-?(?:\d+:)?\d+:\d+(?:[.,]\d+)?)[^\S\n]*"
_TIMES = re.compile(
    rf"^(?:{_TIME}(?:-{{1,3}}>|,){_TIME}(?:[^\S\n][^\n]*)?|[^\S\n]*-?\d+:[^\n]*-->[^\n]*)$",
    re.MULTILINE,
)
"""A line of times, with SubViewer's comma in the place of an arrow, or one that is broken."""


def read_subrip(text: str, language: str) -> Iterator[Cue]:
    """Yield the cues of a SubRip file, in its order; a text may hold blank lines."""
    for start, end, lines in _read_blocks(text):
        if lines and lines[-1].strip().isdigit():
            lines.pop()  # the number of the next cue
        yield Cue(start, end, strip_markup("\n".join(lines)), "subtitles", language)


def read_webvtt(text: str, language: str) -> Iterator[Cue]:
    """Yield the cues of a WebVTT file, in its order; without names, notes, styles and regions."""
    for start, end, lines in _read_blocks(text):
        own = takewhile(str.strip, lines)
        yield Cue(start, end, strip_markup("\n".join(own)), "subtitles", language)


def _read_blocks(text: str) -> Iterator[tuple[float, float, list[str]]]:
    """Yield start and end of each cue, in seconds, and the lines up to the next times."""
    matches = [*_TIMES.finditer(text)]
    ends = [*(match.start() for match in matches[1:]), len(text) + 1]
    for match, end in zip(matches, ends, strict=False):
        if match[1]:
            lines = text[match.end() + 1 : end - 1].split("\n")
            yield _seconds(match[1]), _seconds(match[2]), lines


def _seconds(time: str) -> float:
    """Return `-1:02:03,5` or `02:03.5` in seconds."""
    *hours, minutes, seconds = time.lstrip("-").replace(",", ".").split(":")
    total = 3600 * int(hours[0] if hours else 0) + 60 * int(minutes) + float(seconds)
    return -total if time.startswith("-") else total
