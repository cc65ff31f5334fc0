"""What the formats of players and editors share: addresses and titles of clips."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from framefind.files.names import native_path
from framefind.files.objects import is_remote
from framefind.output.printable import printable, write_confidence
from framefind.output.timelines.timeline import Timeline
from framefind.times import clock
from framefind.types import Moment
from framefind.video.timecode import read_timecode

Write = Callable[[Sequence[Moment], str], Iterator[str]]
"""Takes moments and a title; yields lines of text without their ends."""

WriteTimeline = Callable[[Timeline], Iterator[str]]
"""Takes a timeline; yields lines of text without their ends."""


@dataclass(frozen=True)
class Playlist:
    """A format that says times in seconds; no video is opened for it."""

    write: Write
    suffix: str


@dataclass(frozen=True)
class Edit:
    """A format that counts frames; with `marks`, each video is a timeline of its own.

    With `in_seconds`, its times are those of the moments, whatever the frames.
    """

    write: WriteTimeline
    suffix: str
    marks: bool = False
    in_seconds: bool = False


def media_url(path: str) -> str:
    """Return the URL of a video: `file://` for a file, an object's own; percent-escaped."""
    return quote(path, safe=":/") if is_remote(path) else Path(native_path(path)).as_uri()


def video_name(path: str) -> str:
    """Return the name of a video's file, on one line."""
    return printable(re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def clip_title(moment: Moment) -> str:
    """Return the name of the video and the span of the moment, on one line."""
    return f"{video_name(moment.path)} {clock(moment.start)} – {clock(moment.end)}"


def describe(moment: Moment) -> str:
    """Return how sure a moment is and the words that match in it, on one line."""
    return " · ".join([write_confidence(moment), *matched_words(moment)])


def matched_words(moment: Moment) -> list[str]:
    """Return the words that match in a moment, each match on one line."""
    return [printable(" ".join(match.text.split())) for match in moment.why if match.text]


def seconds(t: float) -> str:
    """Return a time in seconds, to the millisecond."""
    return f"{t:.3f}"


def start_frame(timeline: Timeline) -> int:
    """Return the frame at which a timeline begins: its timecode is 01:00:00:00."""
    return read_timecode("01:00:00;00" if timeline.drop else "01:00:00:00", timeline.rate)[0]


def add_element(
    parent: ElementTree.Element, tag: str, text: object = "", /, **attributes: str
) -> ElementTree.Element:
    """Append an element with a text; characters that XML excludes become U+FFFD."""
    element = ElementTree.SubElement(
        parent, tag, {key: _xml(value) for key, value in attributes.items()}
    )
    element.text = _xml(str(text)) or None
    return element


def write_xml(root: ElementTree.Element, doctype: str = "") -> Iterator[str]:
    """Yield the lines of a document."""
    ElementTree.indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    if doctype:
        yield f"<!DOCTYPE {doctype}>"
    yield from ElementTree.tostring(root, encoding="unicode").split("\n")


def _xml(text: str) -> str:
    return text.translate({0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD})
