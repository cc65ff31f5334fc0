"""What the formats of players and editors share: addresses and titles of clips."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from framefind.files.names import native_path
from framefind.files.objects import is_remote
from framefind.output.printable import printable
from framefind.times import clock
from framefind.types import Moment

Write = Callable[[Sequence[Moment], str], Iterator[str]]
"""Takes moments and a title; yields lines of text without their ends."""


def media_url(path: str) -> str:
    """Return the URL of a video: `file://` for a file, an object's own; percent-escaped."""
    return quote(path, safe=":/") if is_remote(path) else Path(native_path(path)).as_uri()


def clip_title(moment: Moment) -> str:
    """Return the name of the video and the span of the moment, on one line."""
    name = re.split(r"[/\\]", moment.path.rstrip("/\\"))[-1]
    return f"{printable(name)} {clock(moment.start)} – {clock(moment.end)}"


def seconds(t: float) -> str:
    """Return a time in seconds, to the millisecond."""
    return f"{t:.3f}"
