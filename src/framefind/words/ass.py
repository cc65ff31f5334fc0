"""ASS and SSA: a table of events, whose columns a line names."""

import re
from collections.abc import Iterator

from framefind.types import Cue
from framefind.words.markup import strip_markup

_COLUMNS = [
    *("layer", "start", "end", "style", "name"),
    *("marginl", "marginr", "marginv", "effect", "text"),
]
_TIME = re.compile(r"(\d+):(\d+):(\d+(?:[.,]\d+)?)")


def read_ass(text: str, language: str) -> Iterator[Cue]:
    """Yield the cues of a file, in its order, without broken lines."""
    columns = _COLUMNS
    for line in text.split("\n"):
        kind, _, value = line.partition(":")
        if kind.strip() == "Format":
            columns = [name.strip().casefold() for name in value.split(",")]
        elif kind.strip() == "Dialogue":
            fields = dict(zip(columns, value.split(",", len(columns) - 1), strict=False))
            start = _TIME.fullmatch(fields.get("start", "").strip())
            end = _TIME.fullmatch(fields.get("end", "").strip())
            if start and end:
                plain = strip_markup(fields.get("text", ""), is_ass=True)
                yield Cue(_seconds(start), _seconds(end), plain, "subtitles", language)


def _seconds(time: re.Match[str]) -> float:
    return 3600 * int(time[1]) + 60 * int(time[2]) + float(time[3].replace(",", "."))
