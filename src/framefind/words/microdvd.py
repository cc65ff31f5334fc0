"""MicroDVD: a line for each cue, whose times are counted in frames."""

import re
from collections.abc import Iterator

from framefind.types import Cue
from framefind.words.markup import strip_markup

_LINE = re.compile(r"^[^\S\n]*\{(\d+)\}\{(\d*)\}([^\n]*)$", re.MULTILINE)
_RATE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*")
_CODES = re.compile(r"^/|\{[A-Za-z]:[^{}]*\}/?", re.MULTILINE)
"""Colours, sizes and the like; a stroke begins an italic line."""


def read_microdvd(text: str, language: str, fps: float | None) -> Iterator[Cue]:
    """Yield the cues of a file, in its order; `fps` is used where it does not tell its own.

    A cue without an end has no length. Raises ValueError where nothing tells the frame rate.
    """
    lines = _LINE.findall(text)
    if lines and lines[0][0] in "01" and (rate := _RATE.fullmatch(lines[0][2])):
        fps = float(rate[1].replace(",", ".")) or fps
        del lines[0]
    if lines and not fps:
        raise ValueError("it counts frames, and neither it nor the video tells how many a second")
    for start, end, raw in lines:
        assert fps
        plain = strip_markup(_CODES.sub("", raw.replace("|", "\n")))
        yield Cue(int(start) / fps, int(end or start) / fps, plain, "subtitles", language)
