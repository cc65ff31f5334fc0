"""Markers as tables: the one that Premiere writes and its panels read, and Resolve's index.

Both mark a video from its first frame on: Premiere by the video's own timecode, Resolve on a
timeline that begins at 01:00:00:00. Ends are exclusive.
"""

from collections.abc import Iterator

from framefind.output.csv import write_row
from framefind.output.timelines.base import clip_title, describe, start_frame
from framefind.output.timelines.timeline import Timeline
from framefind.video.timecode import write_timecode

_PREMIERE = ("Marker Name", "Description", "In", "Out", "Duration", "Marker Type")
_RESOLVE = ("#", "Record In", "Record Out", "Dur", "Color", "Name", "Notes")


def write_premiere(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of Premiere's table, whose fields are divided by tabs."""
    yield write_row(_PREMIERE, "\t")
    for clip in timeline.clips:
        frames = (clip.timecode, clip.grid.timecode + clip.end, clip.end - clip.start)
        times = [write_timecode(n, clip.grid.rate, clip.grid.drop) for n in frames]
        yield write_row([clip_title(clip.moment), describe(clip.moment), *times, "Comment"], "\t")


def write_resolve(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of Resolve's table."""
    yield write_row(_RESOLVE)
    begin = start_frame(timeline)
    for number, clip in enumerate(timeline.clips, 1):
        first = begin + timeline.convert(clip.start, clip.grid)
        frames = (first, first + clip.length, clip.length)
        times = [write_timecode(frame, timeline.rate, timeline.drop) for frame in frames]
        names = [clip_title(clip.moment), describe(clip.moment)]
        yield write_row([str(number), *times, "Blue", *names])
