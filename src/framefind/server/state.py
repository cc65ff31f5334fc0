"""What all requests read: one library, its index and its list of videos, kept up to date."""

import os
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from framefind.errors import QueryError
from framefind.index.vectors import VectorIndex
from framefind.library import Library
from framefind.models.base import Model
from framefind.tables.cues_table import as_cues
from framefind.tables.delta_log import Revision
from framefind.tables.tables import Tables
from framefind.types import Cue, Video

_MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class Snapshot:
    """What one revision of the library's tables holds; nothing while there is no library."""

    revision: Revision | None = None
    index: VectorIndex | None = None
    model: Model | None = None
    rows: list[Video] = field(default_factory=list)  # by path
    by_id: dict[str, Video] = field(default_factory=dict)


class LibraryState:
    """One library for all requests: `refresh` reads it now and then, all else reads memory.

    `is_fresh` tells whether the last refresh succeeded.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.is_fresh = False
        self._tables = Tables(library.uri)
        self._snapshot = Snapshot()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what is new. Raises LibraryError if the library cannot be read."""
        with self._lock:
            try:
                if self.library.exists:
                    self._read(self._tables)
                else:
                    self._snapshot = Snapshot()
            except BaseException:
                self.is_fresh = False
                raise
            self.is_fresh = True

    def _read(self, tables: Tables) -> None:
        previous = self._snapshot.index
        is_usable = previous and previous.generation.exists() and not previous.damaged
        if is_usable and tables.revision() == self._snapshot.revision:
            return
        for _ in range(_MAX_ATTEMPTS):  # until rows and index are of one revision
            index = self.library.vector_index.get(now=True)
            rows = sorted(tables.videos(), key=lambda row: row.path)
            if index.revision == tables.revision():
                break
        model = self.library.choice.reopen(self.library.uri, index.fingerprint)
        by_id = {row.video_id: row for row in rows}
        self._snapshot = Snapshot(index.revision, index, model, rows, by_id)

    @property
    def snapshot(self) -> Snapshot:
        """Return the latest snapshot. Raises HTTPException 503 if the library was never read."""
        if self._snapshot.index is None and not self.is_fresh:
            raise HTTPException(503, "the library cannot be read now", {"Retry-After": "5"})
        return self._snapshot

    @property
    def rows(self) -> list[Video]:
        """Return the videos by path; none if the library has never been read."""
        return self._snapshot.rows

    def thumbnails(self, times: Sequence[tuple[str, float]]) -> list[bytes | None]:
        """Return the JPEG of the frame at each (video id, seconds); None where there is none."""
        index = self.snapshot.index
        if index is None:
            return [None] * len(times)
        keys: list[tuple[str, str, float] | None] = []
        for video_id, t in times:
            key = None
            with suppress(QueryError):  # a video without frames
                key = index.frame_key(video_id, t)
            keys.append(key)
        thumbnails = iter(self.library.vector_index.pictures(index, [key for key in keys if key]))
        return [next(thumbnails) if key else None for key in keys]

    def video(self, video_id: str) -> Video:
        """Return the row of a video. Raises HTTPException 404 if there is none."""
        row = self.snapshot.by_id.get(video_id)
        if row is None:
            raise HTTPException(404, "the library has no such video")
        return row

    def cues(self, video_id: str) -> list[Cue]:
        """Return the cues of a video by time. Raises HTTPException 404 if there is no such video.

        Raises LibraryError if they cannot be read.
        """
        segments = self.video(video_id).cue_segments
        return as_cues(Tables(self.library.uri).read_cues(segments))

    def count_by_folder(self) -> dict[str, int]:
        """Return the folders that hold videos, with how many are in each and below it."""
        direct = Counter(os.path.dirname(row.path) for row in self.snapshot.rows)
        total: Counter[str] = Counter()
        for folder, count in direct.items():
            child = ""
            while folder != child:
                total[folder] += count
                child = folder
                folder = os.path.dirname(folder)
        return {folder: total[folder] for folder in sorted(direct)}
