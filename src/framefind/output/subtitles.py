"""Cues as subtitle files: SubRip and WebVTT."""

from collections.abc import Iterable, Iterator

from framefind.types import Cue

_MIN_SECONDS = 0.001  # players skip a cue without length


def write_srt(cues: Iterable[Cue]) -> str:
    """Return cues as a SubRip file."""
    blocks = [f"{number}\n{_span(cue, ',')}\n{cue.text}\n" for number, cue in enumerate(cues, 1)]
    return "\n".join(blocks)


def write_vtt(cues: Iterable[Cue]) -> str:
    """Return cues as a WebVTT file, which shows their text as it is: markup is escaped."""
    return "\n".join(["WEBVTT\n", *_vtt_blocks(cues)])


def _vtt_blocks(cues: Iterable[Cue]) -> Iterator[str]:
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{_span(cue, '.')}\n{text}\n"


def _span(cue: Cue, point: str) -> str:
    end = max(cue.end, cue.start + _MIN_SECONDS)
    return f"{_time(cue.start, point)} --> {_time(end, point)}"


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
