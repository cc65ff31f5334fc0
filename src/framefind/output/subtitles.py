"""Cues as subtitle files: SubRip and WebVTT."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from framefind.types import Cue

_MIN_SECONDS = 0.001  # players skip a cue without length


def write_srt(cues: Iterable[Cue]) -> str:
    """Return cues as a SubRip file."""
    blocks = [f"{number}\n{_span(cue, ',')}\n{_text(cue)}\n" for number, cue in enumerate(cues, 1)]
    return "\n".join(blocks)


def write_vtt(cues: Iterable[Cue], offset: float = 0.0) -> str:
    """Return cues as a WebVTT file, which shows their text as it is: markup is escaped.

    Its time 0 is `offset` seconds; cues that end before it are left out.
    """
    return "\n".join(["WEBVTT\n", *_vtt_blocks(cues, offset)])


def _vtt_blocks(cues: Iterable[Cue], offset: float) -> Iterator[str]:
    for cue in cues:
        text = _text(cue).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if text and cue.end >= offset:
            moved = replace(cue, start=max(0.0, cue.start - offset), end=cue.end - offset)
            yield f"{_span(moved, '.')}\n{text}\n"


def _text(cue: Cue) -> str:
    """Return a cue's text without empty lines, which would end its block."""
    return "\n".join(line for line in cue.text.splitlines() if line.strip())


def _span(cue: Cue, point: str) -> str:
    end = max(cue.end, cue.start + _MIN_SECONDS)
    return f"{_time(cue.start, point)} --> {_time(end, point)}"


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
