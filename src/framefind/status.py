"""A library in numbers."""

from collections import Counter

from framefind.forgetting import find_absent
from framefind.index.refresh import CurrentIndex
from framefind.tables import address
from framefind.tables.tables import Tables
from framefind.types import Status


def find_status(uri: str, vector_index: CurrentIndex) -> Status:
    """Return a library in numbers. Raises LibraryError when there is none."""
    tables = Tables.open(uri)
    rows = tables.videos()
    return Status(
        uri,
        tables.fingerprint["model"],
        dict(sorted(Counter(row.status for row in rows).items())),
        sum(row.frames for row in rows),
        sum(row.duration or 0 for row in rows if row.segments) / 3600,
        address.measure_size(uri),
        vector_index.is_fresh(tables),
        find_absent(vector_index.folder, rows).roots(rows),
        len(vector_index.lost(tables, rows)),
    )
