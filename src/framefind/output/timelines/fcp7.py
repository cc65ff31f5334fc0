"""Final Cut Pro 7 XML (xmeml 5): what Premiere reads.

Frames count from the first of a file, whatever its timecode, and ends are exclusive. A rate is a
whole number and whether it is 1000/1001 of that.
"""

from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree

from framefind.output.printable import printable
from framefind.output.timelines.base import (
    add_element,
    describe,
    media_url,
    start_frame,
    video_name,
    write_xml,
)
from framefind.output.timelines.timeline import Clip, Timeline
from framefind.video.frame_grid import FrameGrid
from framefind.video.timecode import count_per_second, write_timecode


def write(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of the XML document: a sequence with a track of pictures and one of sound."""
    root = ElementTree.Element("xmeml", version="5")
    sequence = add_element(root, "sequence", id="sequence-1")
    add_element(sequence, "name", printable(timeline.title))
    add_element(sequence, "duration", timeline.length)
    _add_rate(sequence, timeline.rate)
    _add_timecode(sequence, start_frame(timeline), timeline.rate, timeline.drop)
    media = add_element(sequence, "media")
    video = add_element(media, "video")
    facts = add_element(add_element(video, "format"), "samplecharacteristics")
    _add_rate(facts, timeline.rate)
    _add_size(facts, timeline.largest)
    written: set[str] = set()
    _add_track(video, timeline, "video", written)
    if any(clip.grid.channels for clip in timeline.clips):
        _add_track(add_element(media, "audio"), timeline, "audio", written)
    yield from write_xml(root, "xmeml")


def _add_track(
    parent: ElementTree.Element, timeline: Timeline, kind: str, written: set[str]
) -> None:
    """Append a track; a file is described where it comes first, and `written` from then on."""
    track = add_element(parent, "track")
    for number, clip in enumerate(timeline.clips, 1):
        if kind == "audio" and not clip.grid.channels:
            continue
        item = add_element(track, "clipitem", id=f"{kind}-{number}")
        add_element(item, "name", video_name(clip.moment.path))
        add_element(item, "duration", clip.grid.frames or clip.end)
        _add_rate(item, clip.grid.rate)
        add_element(item, "start", clip.at)
        add_element(item, "end", clip.at + clip.length)
        add_element(item, "in", clip.start)
        add_element(item, "out", clip.end)
        _add_file(item, timeline, clip, written)
        source = add_element(item, "sourcetrack")
        add_element(source, "mediatype", kind)
        add_element(source, "trackindex", 1)
        if clip.grid.channels:
            for linked in ("video", "audio"):
                link = add_element(item, "link")
                add_element(link, "linkclipref", f"{linked}-{number}")
                add_element(link, "mediatype", linked)
        add_element(add_element(item, "comments"), "mastercomment1", describe(clip.moment))


def _add_file(item: ElementTree.Element, timeline: Timeline, clip: Clip, written: set[str]) -> None:
    path = clip.moment.path
    grid = clip.grid
    file = add_element(item, "file", id=f"file-{[*timeline.sources].index(path) + 1}")
    if path in written:
        return
    written.add(path)
    add_element(file, "name", video_name(path))
    add_element(file, "pathurl", media_url(path))
    _add_rate(file, grid.rate)
    if grid.frames:
        add_element(file, "duration", grid.frames)
    _add_timecode(file, grid.timecode, grid.rate, grid.drop)
    media = add_element(file, "media")
    _add_size(add_element(add_element(media, "video"), "samplecharacteristics"), grid)
    if grid.channels:
        audio = add_element(media, "audio")
        add_element(add_element(audio, "samplecharacteristics"), "samplerate", grid.sample_rate)
        add_element(audio, "channelcount", grid.channels)


def _add_rate(parent: ElementTree.Element, rate: Fraction) -> None:
    element = add_element(parent, "rate")
    add_element(element, "timebase", count_per_second(rate))
    add_element(element, "ntsc", "TRUE" if rate.denominator == 1001 else "FALSE")


def _add_timecode(parent: ElementTree.Element, frame: int, rate: Fraction, drop: bool) -> None:
    element = add_element(parent, "timecode")
    _add_rate(element, rate)
    add_element(element, "string", write_timecode(frame, rate, drop))
    add_element(element, "frame", frame)
    add_element(element, "displayformat", "DF" if drop else "NDF")


def _add_size(parent: ElementTree.Element, grid: FrameGrid) -> None:
    add_element(parent, "width", grid.width)
    add_element(parent, "height", grid.height)
