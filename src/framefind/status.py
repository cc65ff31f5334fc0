"""A library in numbers."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from framefind import forgetting
from framefind.files.presence import Offline
from framefind.tables import address
from framefind.tables.tables import Tables

if TYPE_CHECKING:
    from framefind.library import Library


@dataclass(frozen=True)
class Status:
    """A library in numbers: videos per status, frames that count, hours of video, bytes on disk."""

    library: str
    model: str
    videos: dict[str, int]
    frames: int
    hours: float
    size: int
    index_fresh: bool
    offline: list[Offline] = field(default_factory=list)
    lost: int = 0
    """Videos that have lost frames: those are in no data file any more."""


def find_status(library: "Library") -> Status:
    """Return the numbers of a library. Raises LibraryError when there is none."""
    tables = Tables.open(library.uri)
    rows = tables.videos()
    return Status(
        library.uri,
        tables.fingerprint["model"],
        dict(sorted(Counter(row.status for row in rows).items())),
        sum(row.frames for row in rows),
        sum(row.duration or 0 for row in rows if row.segments) / 3600,
        address.measure_size(library.uri),
        library.vector_index.is_fresh(tables),
        forgetting.absent(library, rows).roots(rows),
        len(library.vector_index.lost(tables, rows)),
    )
