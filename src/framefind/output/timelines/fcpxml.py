"""FCPXML 1.10, for Final Cut Pro and Resolve. Times are exact fractions of a second."""

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

_VERSION = "1.10"
_SEQUENCE = "r1"


def write(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of the XML document: a project whose storyline are the clips."""
    root = ElementTree.Element("fcpxml", version=_VERSION)
    resources = add_element(root, "resources")
    _add_format(resources, _SEQUENCE, timeline.rate, timeline.largest)
    ids = {}
    for number, (path, grid) in enumerate(timeline.sources.items(), 2):
        ids[path] = f"a{number}", f"r{number}"
        _add_format(resources, ids[path][1], grid.rate, grid)
        _add_asset(resources, ids[path], path, grid)
    title = printable(timeline.title)
    event = add_element(add_element(root, "library"), "event", name=title)
    sequence = add_element(
        add_element(event, "project", name=title),
        "sequence",
        format=_SEQUENCE,
        duration=_time(timeline.length, timeline.rate),
        tcStart=_time(start_frame(timeline), timeline.rate),
        tcFormat=_count(timeline.drop),
    )
    spine = add_element(sequence, "spine")
    for clip in timeline.clips:
        _add_clip(spine, timeline, clip, ids[clip.moment.path])
    yield from write_xml(root, "fcpxml")


def _add_format(resources: ElementTree.Element, ref: str, rate: Fraction, grid: FrameGrid) -> None:
    size = {"width": str(grid.width), "height": str(grid.height)}
    add_element(resources, "format", id=ref, frameDuration=_time(1, rate), **size)


def _add_asset(
    resources: ElementTree.Element, ids: tuple[str, str], path: str, grid: FrameGrid
) -> None:
    asset = add_element(
        resources,
        "asset",
        id=ids[0],
        name=video_name(path),
        start=_time(grid.timecode, grid.rate),
        hasVideo="1",
        format=ids[1],
        videoSources="1",
    )
    if grid.frames:
        asset.set("duration", _time(grid.frames, grid.rate))
    if grid.channels:
        sound = {"hasAudio": "1", "audioSources": "1", "audioChannels": str(grid.channels)}
        asset.attrib |= sound | {"audioRate": str(grid.sample_rate)}
    add_element(asset, "media-rep", kind="original-media", src=media_url(path))


def _add_clip(
    spine: ElementTree.Element, timeline: Timeline, clip: Clip, ids: tuple[str, str]
) -> None:
    element = add_element(
        spine,
        "asset-clip",
        ref=ids[0],
        format=ids[1],
        name=video_name(clip.moment.path),
        offset=_time(start_frame(timeline) + clip.at, timeline.rate),
        start=_time(clip.timecode, clip.grid.rate),
        duration=_time(clip.length, timeline.rate),
        tcFormat=_count(clip.grid.drop),
    )
    add_element(element, "note", describe(clip.moment))


def _time(frames: int, rate: Fraction) -> str:
    """Return a number of frames as seconds: `1001/30000s`, or `5s`."""
    return f"{frames / rate}s"


def _count(drop: bool) -> str:
    return "DF" if drop else "NDF"
