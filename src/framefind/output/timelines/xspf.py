"""XSPF, version 1: a playlist that VLC plays moment by moment.

Where a moment starts and stops stands in VLC's extension of each track. Other players leave that
out and play each video as a whole.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from framefind.output.printable import printable
from framefind.output.timelines.base import add_element, clip_title, media_url, seconds, write_xml
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
    add_element(playlist, "title", printable(title))
    tracks = add_element(playlist, "trackList")
    for number, moment in enumerate(moments):
        track = add_element(tracks, "track")
        add_element(track, "location", media_url(moment.path))
        add_element(track, "title", clip_title(moment))
        milliseconds = round(1000 * (moment.end - moment.start))
        add_element(track, "duration", milliseconds)
        extension = add_element(track, "extension", application=_VLC)
        add_element(extension, "vlc:id", number)
        add_element(extension, "vlc:option", f"start-time={seconds(moment.start)}")
        add_element(extension, "vlc:option", f"stop-time={seconds(moment.end)}")
    yield from write_xml(playlist)
