"""Markers for DaVinci Resolve, as the EDL that its timelines import.

The timeline begins at 01:00:00:00 with the first frame of the video. A marker is an event of one
frame with a line of its own: colour, name, duration in frames.
"""

from collections.abc import Iterator

from framefind.output.printable import printable
from framefind.output.timelines.base import describe, start_frame
from framefind.output.timelines.timeline import Timeline
from framefind.video.timecode import write_timecode


def write(timeline: Timeline) -> Iterator[str]:
    """Yield the lines; of moments that begin at the same frame Resolve keeps the first."""
    yield f"TITLE: {printable(timeline.title)}"
    yield f"FCM: {'DROP FRAME' if timeline.drop else 'NON-DROP FRAME'}"
    begin = start_frame(timeline)
    for number, clip in enumerate(timeline.clips, 1):
        first = begin + timeline.convert(clip.start, clip.grid)
        span = " ".join(
            write_timecode(frame, timeline.rate, timeline.drop) for frame in (first, first + 1)
        )
        name = describe(clip.moment).replace("|", "/")
        yield ""
        yield f"{number:03}  001      V     C        {span} {span}"
        yield f" |C:ResolveColorBlue |M:{name} |D:{clip.length}"
