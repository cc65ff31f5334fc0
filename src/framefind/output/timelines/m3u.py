"""M3U: a playlist that VLC plays moment by moment.

Where a moment starts and stops stands in VLC's own lines, #EXTVLCOPT. Other players read them as
comments and play each video as a whole.
"""

from collections.abc import Iterator, Sequence

from framefind.output.timelines.base import clip_title, media_url, seconds
from framefind.types import Moment


def write(moments: Sequence[Moment], title: str) -> Iterator[str]:
    """Yield the lines of a playlist in UTF-8; M3U has no place for its title."""
    yield "#EXTM3U"
    for moment in moments:
        yield f"#EXTINF:{seconds(moment.end - moment.start)},{clip_title(moment)}"
        yield f"#EXTVLCOPT:start-time={seconds(moment.start)}"
        yield f"#EXTVLCOPT:stop-time={seconds(moment.end)}"
        yield media_url(moment.path)
