"""Which words are read of a video, by what and how far: what `videos.read` tells."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from framefind.arguments import texts
from framefind.errors import UsageError
from framefind.types import CUE_SOURCES
from framefind.words.recogniser import is_available

DEFAULT = ("subtitles", "screen")
"""The sources that are read unless others are asked for, and `speech` where a model is here."""

_AT = "@"


@dataclass(frozen=True)
class Reading:
    """A source of words, what reads it, and until when it is read, in seconds.

    As a text it is `speech/base`, or `speech/base@600.0` while it goes on.
    """

    source: str
    by: str = ""
    until: float = math.inf

    def __str__(self) -> str:
        name = f"{self.source}/{self.by}" if self.by else self.source
        return name if self.until == math.inf else f"{name}{_AT}{self.until}"

    @classmethod
    def parse(cls, text: str) -> "Reading":
        """Read what a row tells; what makes no sense is read to the end."""
        name, at, until = text.rpartition(_AT)
        try:
            end = float(until) if at else math.inf
        except ValueError:  # an @ in a name
            end = math.inf
        source, _, by = (name if end < math.inf else text).partition("/")
        return cls(source, by, end)


def parse_readings(read: str | Iterable[str] | None) -> tuple[Reading, ...]:
    """Return the sources that a user asks for: `subtitles,speech/small`; None for the default.

    Raises UsageError for an unknown source.
    """
    default = (*DEFAULT, "speech") if is_available() else DEFAULT
    entries = default if read is None else texts(read, "read")
    names = [name for entry in entries for name in entry.split(",")]
    readings = {}
    for name in names:
        source, _, by = name.strip().partition("/")
        if source not in (*CUE_SOURCES, "none"):
            raise UsageError(f"read {name!r}: use {', '.join(CUE_SOURCES)} or none")
        if source != "none":
            readings[source] = Reading(source, by)
    return tuple(readings.values())
