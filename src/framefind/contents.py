"""What a library holds: its videos, and the words and pictures of each."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from framefind.arguments import choices, text
from framefind.files.names import openable_path
from framefind.index.refresh import CurrentIndex
from framefind.index.vectors import VectorIndex
from framefind.search.filters import VideoNames, find_video_id
from framefind.tables.tables import Tables
from framefind.types import CUE_SOURCES, Cue, Moment, Video


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
    row = rows[VideoNames(rows.values()).find(text(video, "video"))]
    return [cue for cue in as_cues(tables.read_cues(row.cue_segments)) if cue.source in chosen]


def read_thumbnails(current: CurrentIndex, moments: Iterable[Moment]) -> list[bytes | None]:
    """Return the JPEG thumbnail of each moment's best frame; None where it is lost."""
    index = current.get()
    keys = [index.frame_key(moment.video_id, moment.t) for moment in moments]
    return current.pictures(index, keys)


def read_frame(index: VectorIndex, video: str, t: float) -> NDArray[np.uint8]:
    """Return the upright RGB picture that a video shows at `t` seconds: uint8 (height, width, 3).

    Raises QueryError where no video has that name.
    """
    from framefind.video.shown import frame

    paths = index.video(find_video_id(index, video)).paths
    return frame(openable_path(paths), t)
