"""CMX 3600 EDL: the oldest list of cuts, which every editor reads.

Ends are exclusive. All times are timecode: of a video its own, where the file has one, else from
00:00:00:00 on. An EDL has one rate; a video of another is counted in that one. Videos are found by
the name of the clip, as editors do with reels that are called AX.
"""

from collections.abc import Iterator

from framefind.output.printable import printable
from framefind.output.timelines.base import describe, start_frame, video_name
from framefind.output.timelines.timeline import Clip, Timeline
from framefind.video.timecode import write_timecode

_REEL = "AX"
_MAX_TITLE = 70  # characters


def write(timeline: Timeline) -> Iterator[str]:
    """Yield the lines: an event for each clip, with its name and path."""
    yield f"TITLE: {printable(timeline.title)[:_MAX_TITLE]}"
    yield f"FCM: {'DROP FRAME' if timeline.drop else 'NON-DROP FRAME'}"
    begin = start_frame(timeline)
    for number, clip in enumerate(timeline.clips, 1):
        channels = "AA/V" if clip.grid.channels else "V"
        at = begin + clip.at
        record = [
            write_timecode(frame, timeline.rate, timeline.drop) for frame in (at, at + clip.length)
        ]
        times = " ".join([*_source(timeline, clip), *record])
        yield ""
        yield f"{number:03}  {_REEL:<8} {channels:<5} C        {times}"
        yield f"* FROM CLIP NAME: {video_name(clip.moment.path)}"
        yield f"* SOURCE FILE: {printable(clip.moment.path)}"
        yield f"* COMMENT: {describe(clip.moment)}"


def _source(timeline: Timeline, clip: Clip) -> list[str]:
    """Return the timecode of a clip's first frame in its video, and of the one after its last."""
    first = timeline.convert(clip.timecode, clip.grid)
    drop = clip.grid.drop
    return [write_timecode(n, timeline.rate, drop) for n in (first, first + clip.length)]
