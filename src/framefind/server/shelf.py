"""What all requests read: one opened library and its list of videos, kept up to date."""

import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from starlette.exceptions import HTTPException

from framefind.library import Library
from framefind.tables import Tables, Video


@dataclass(frozen=True)
class Snapshot:
    """The library's videos as of one version of its tables."""

    versions: tuple[int, int] | None = None
    model: str | None = None
    rows: list[Video] = field(default_factory=list)  # by path
    by_id: dict[str, Video] = field(default_factory=dict)


class Shelf:
    """One library for all requests. `refresh` is called now and then; the rest reads memory.

    `is_fresh` tells whether the last refresh went well.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.snapshot = Snapshot()
        self.is_fresh = False
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """See what is new. Raises LibraryError when the library cannot be read."""
        with self._lock:
            self.is_fresh = False
            if self.library.exists:
                self._read(Tables.open(self.library.uri))
            else:
                self.snapshot = Snapshot()
            self.is_fresh = True

    def _read(self, tables: Tables) -> None:
        versions = tables.versions()
        if versions != self.snapshot.versions:
            self.library._index()
            rows = sorted(tables.videos(), key=lambda row: row.path)
            by_id = {row.video_id: row for row in rows}
            self.snapshot = Snapshot(versions, tables.fingerprint["model"], rows, by_id)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return self.snapshot.versions is None

    def video(self, video_id: str) -> Video:
        """The video with that id; 404 if there is none."""
        row = self.snapshot.by_id.get(video_id)
        if row is None:
            raise HTTPException(404, "the library has no such video")
        return row

    def folders(self) -> dict[str, int]:
        """The folders that hold videos, and how many are in each or below."""
        own = Counter(os.path.dirname(row.path) for row in self.snapshot.rows)
        below: Counter[str] = Counter()
        for folder, count in own.items():
            for one in (folder, *map(str, Path(folder).parents)):
                below[one] += count
        return {folder: below[folder] for folder in sorted(own)}
