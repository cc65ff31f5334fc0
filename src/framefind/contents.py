"""What a library holds: its videos, and the words of each."""

from collections.abc import Iterable, Sequence

from framefind.arguments import choices
from framefind.search.filters import VideoNames
from framefind.tables.tables import Tables
from framefind.types import CUE_SOURCES, Cue, Video


def list_videos(uri: str, names: Sequence[str]) -> list[Video]:
    """Return the videos, by path, that match some names; without names, all.

    Raises UsageError for a name that no video has.
    """
    rows = sorted(Tables.open(uri).videos(), key=lambda row: row.path)
    if not names:
        return rows
    video_names = VideoNames(rows)
    named = {video_id for name in names for video_id in video_names.find_all([name])}
    return [row for row in rows if row.video_id in named]


def read_words(uri: str, video: str, sources: str | Iterable[str]) -> list[Cue]:
    """Return the cues of a video, by time, of some sources; without sources, all.

    Raises QueryError where no video has that name.
    """
    from framefind.tables.cues_table import as_cues

    chosen = choices(sources, "sources", CUE_SOURCES) or CUE_SOURCES
    tables = Tables.open(uri)
    rows = {row.video_id: row for row in tables.videos()}
    row = rows[VideoNames(rows.values()).find(video)]
    return [cue for cue in as_cues(tables.read_cues(row.cue_segments)) if cue.source in chosen]
