"""A library's vector index in this process, kept as new as the tables."""

import math
import os
import time
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from framefind.errors import LibraryError
from framefind.tables import Tables, latest_versions
from framefind.tables.store import is_local, set_aside
from framefind.vectors.index import VectorIndex
from framefind.vectors.store import refresh

LOOK = 2.0
"""Seconds after which a search looks again whether a library on an object store has changed."""


class CurrentIndex:
    """The vector index of the library at `uri`, opened when it is first asked for."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._opened: VectorIndex | None = None
        self._seen: tuple[int, int] | None = None  # the versions of tables on an object store,
        self._looked = -math.inf  # and when they were looked up

    @property
    def folder(self) -> Path:
        """Where the index lies: in the library, or in the user's cache if that is read-only."""
        folder = Path(self.uri, "index")
        if is_local(self.uri) and os.access(folder if folder.exists() else self.uri, os.W_OK):
            return folder
        from platformdirs import user_cache_path

        key = blake2b(self.uri.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        folder = user_cache_path("framefind") / "index" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def get(self, now: bool = False) -> VectorIndex:
        """The index, as new as the tables; on an object store only `now` or nearly so."""
        index = self._open()
        try:
            versions = self._versions(now)
            if index is None or index.versions != versions or not index.generation.exists():
                index = self.refresh(Tables.open(self.uri))
        except LibraryError:
            if index is None or not set_aside(self.uri).exists():
                raise
            # `reembed` is just putting another library in this one's place, which still answers.
        return index

    def refresh(self, tables: Tables) -> VectorIndex:
        """Bring the index up to the tables, which have just been changed."""
        self._opened = refresh(self.folder, tables)
        return self._opened

    def is_fresh(self, tables: Tables) -> bool:
        """Whether the index on the disk is as new as the tables."""
        index = self._open()
        return index is not None and index.versions == tables.versions()

    def forget(self) -> None:
        """Open it anew the next time: another library has taken this one's place."""
        self._opened = None

    def _open(self) -> VectorIndex | None:
        if self._opened is None:
            with suppress(OSError, ValueError, KeyError, TypeError):
                self._opened = VectorIndex(self.folder)
        return self._opened

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self.uri)

    def _versions(self, now: bool) -> tuple[int, int]:
        """The newest versions of the tables; on an object store as of the last `LOOK` seconds."""
        if is_local(self.uri):
            return latest_versions(self.uri)
        if self._seen is None or now or time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._seen = self._tables.versions()
        return self._seen
