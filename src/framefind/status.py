"""A library in numbers."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from framefind.forgetting import find_absent
from framefind.index.refresh import CurrentIndex
from framefind.reports import Status
from framefind.tables import address
from framefind.tables.lost import find_lost_words
from framefind.tables.tables import Tables
from framefind.types import Video


def count_videos(rows: Sequence[Video]) -> dict[str, Any]:
    """Return the numbers of videos by status and of frames, and the hours of video."""
    return {
        "videos": dict(sorted(Counter(row.status for row in rows).items())),
        "frames": sum(row.frames for row in rows),
        "cues": sum(row.cues for row in rows),
        "hours": sum(row.duration or 0 for row in rows if row.segments) / 3600,
    }


def find_status(uri: str, vector_index: CurrentIndex) -> Status:
    """Return a library in numbers. Raises LibraryError when there is none."""
    tables = Tables.open(uri)
    rows = tables.videos()
    return Status(
        library=uri,
        model=tables.fingerprint["model"],
        **count_videos(rows),
        size=address.measure_size(uri),
        index_fresh=vector_index.is_fresh(tables),
        offline=find_absent(vector_index.folder, rows).roots(rows),
        lost=len(vector_index.lost(tables, rows)),
        lost_words=len(find_lost_words(tables, rows)),
        lost_pictures=len(vector_index.lost_pictures(rows)),
    )
