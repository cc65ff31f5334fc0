"""XSPF, version 1: a playlist that VLC plays moment by moment.

Where a moment starts and stops stands in VLC's extension of each track. Other players leave that
out and play each video as a whole.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from framefind.output.printable import printable
from framefind.output.timelines.base import clip_title, media_url, seconds
from framefind.types import Moment

_PLAYLIST = {
    "version": "1",
    "xmlns": "http://xspf.org/ns/0/",
    "xmlns:vlc": "http://www.videolan.org/vlc/playlist/ns/0/",
}
_VLC = "http://www.videolan.org/vlc/playlist/0"


def write(moments: Sequence[Moment], title: str) -> Iterator[str]:
    """Yield the lines of the XML document."""
    playlist = ElementTree.Element("playlist", _PLAYLIST)
    _add(playlist, "title", printable(title))
    tracks = ElementTree.SubElement(playlist, "trackList")
    for number, moment in enumerate(moments):
        track = ElementTree.SubElement(tracks, "track")
        _add(track, "location", media_url(moment.path))
        _add(track, "title", clip_title(moment))
        _add(track, "duration", str(round(1000 * (moment.end - moment.start))))  # milliseconds
        extension = ElementTree.SubElement(track, "extension", application=_VLC)
        _add(extension, "vlc:id", str(number))
        _add(extension, "vlc:option", f"start-time={seconds(moment.start)}")
        _add(extension, "vlc:option", f"stop-time={seconds(moment.end)}")
    ElementTree.indent(playlist)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield from ElementTree.tostring(playlist, encoding="unicode").split("\n")


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    """Append an element that holds a text; characters that XML excludes become U+FFFD."""
    text = text.translate({0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD})
    ElementTree.SubElement(parent, name).text = text
