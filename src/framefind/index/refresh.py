"""A library's vector index in this process, kept as new as the tables."""

import atexit
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from framefind.errors import LibraryError
from framefind.files.folders import cache_folder
from framefind.index.build import IndexPlaceError, refresh
from framefind.index.checksums import DamagedIndexError, load_manifest
from framefind.index.pictures import check_pictures, find_lost_pictures, read_pictures
from framefind.index.vectors import FORMAT, VectorIndex
from framefind.tables.address import aside_path, is_local
from framefind.tables.delta_log import latest_revision
from framefind.tables.lost import find_lost_frames
from framefind.tables.tables import Tables
from framefind.types import Video

if TYPE_CHECKING:
    from framefind.tables.data_files import Key
    from framefind.tables.delta_log import Revision

LOOK = 2.0
"""Seconds after which a search looks again whether a library on an object store has changed."""

_log = logging.getLogger(__name__)
_Q = TypeVar("_Q")
_T = TypeVar("_T")


class CurrentIndex:
    """The vector index of the library at `uri`, opened when it is first asked for."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._opened: VectorIndex | None = None
        self._seen: Revision | None = None  # of tables on an object store,
        self._looked = -math.inf  # and when it was looked up
        self._refused = 0  # how many of the places for an index have turned out to have no room

    @property
    def folder(self) -> Path:
        """Return the folder of what is derived from the library, such as its index.

        It is in the library; in the user's cache if the library is read-only or full; or a
        temporary folder if the cache is too.
        """
        if self._is_writable:
            return Path(self.uri, "index")
        folder = self._cache
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        cached = self._refused < 2 and os.access(folder, os.W_OK)
        return folder if cached else _temporary(self.uri)

    def get(self, now: bool = False) -> VectorIndex:
        """Return the index, as new as the tables.

        On an object store it may be `LOOK` seconds older, unless it has to be `now`.
        """
        index = self._opened
        try:
            revision = self._revision(now)
            if index is None or not _is_current(index, revision):
                index = self._find(revision)
            if index is None or index.unread:
                index = self.refresh(Tables.open(self.uri))
        except LibraryError:
            if index is None or not aside_path(self.uri).exists():
                raise
            # `reembed` is just putting another library in this one's place, which still answers.
        return index

    def ask(self, question: Callable[[VectorIndex], _T]) -> _T:
        """Return what `question` returns of the index; ask a new one if this one is damaged."""
        try:
            return question(self.get())
        except DamagedIndexError:
            return question(self.get())

    def ask_each(
        self,
        questions: Sequence[_Q],
        answer: Callable[[Sequence[_Q], VectorIndex], Iterator[_T]],
        index: VectorIndex,
    ) -> Iterator[_T]:
        """Yield the answers of an index one by one; a new one goes on if it is damaged."""
        done = 0
        try:
            for item in answer(questions, index):
                done += 1
                yield item
        except DamagedIndexError:
            yield from answer(questions[done:], self.get())

    def refresh(self, tables: Tables) -> VectorIndex:
        """Bring the index up to the tables, which have just been changed.

        Where there turns out to be no room for it, it is made in the next place.
        """
        while True:
            inside = self._is_writable
            try:
                return self._refresh(tables)
            except IndexPlaceError as error:
                if self._refused == 2:
                    raise
                self._refused = 1 if inside else 2
                _log.warning("%s; it is made elsewhere for now", error)

    def _refresh(self, tables: Tables) -> VectorIndex:
        folder = self.folder
        old = self._opened
        if not self._is_writable:
            folder /= _key(tables.identity)
        index = refresh(folder, tables, old if old and old.damaged else None)
        return self._open(index)

    def is_fresh(self, tables: Tables) -> bool:
        """Return whether the index on the disk is as new as the tables."""
        return self._find(tables.revision()) is not None

    def lost(self, tables: Tables, rows: Sequence[Video]) -> list[str]:
        """Return the ids of videos that have lost frames, by the index if it is new enough."""
        index = self._find(tables.revision())
        return index.lost if index and not index.unread else find_lost_frames(tables, rows)

    def lost_pictures(self, rows: Sequence[Video]) -> list[str]:
        """Return the ids of videos that have lost pictures, as far as that was noticed."""
        return find_lost_pictures(self.folder, rows)

    def check_pictures(self, tables: Tables) -> list[str]:
        """Return the ids of videos that have lost pictures; in an object store, as was noticed."""
        rows = tables.videos()
        if not is_local(self.uri):
            return self.lost_pictures(rows)
        return check_pictures(tables, self.folder, rows)

    def pictures(self, index: VectorIndex, keys: "Sequence[Key]") -> list[bytes | None]:
        """Return the JPEGs of frames of an index by their keys; None for a lost or damaged one."""
        return read_pictures(self._tables, index, self.folder, keys)

    def forget(self) -> None:
        """Open it again the next time: another library has taken this one's place."""
        self._opened = None

    def _find(self, revision: "Revision") -> VectorIndex | None:
        """Return an index of that revision of the tables, which no other library ever has."""
        old = self._opened
        for folder in self._folders():
            with suppress(OSError, ValueError, KeyError, TypeError, EOFError, DamagedIndexError):
                manifest = load_manifest(folder, FORMAT)
                is_damaged = (
                    old and old.damaged and old.generation == folder / manifest["generation"]
                )
                if tuple(manifest["revision"]) == revision and not is_damaged:
                    return self._open(VectorIndex(folder))
        return None

    def _folders(self) -> Iterator[Path]:
        """Yield the folders where an index of the library may be."""
        if is_local(self.uri):
            yield Path(self.uri, "index")
        if not self._is_writable:
            with suppress(OSError):
                yield from self.folder.iterdir()

    def _open(self, index: VectorIndex) -> VectorIndex:
        """Keep an index, and log which files and frames it lacks."""
        previous = self._opened
        if previous is None or (previous.generation, previous.revision) != (
            index.generation,
            index.revision,
        ):
            for reason in index.unread.values():
                _log.warning("%s: %s", self.uri, reason)
            for noun, lost in (("frames", index.lost), ("words", index.lost_words)):
                if lost:
                    several = "videos have lost their" if len(lost) > 1 else "video has lost its"
                    path = index.video(lost[0]).path
                    _log.warning("%d %s %s: index them again (%s)", len(lost), several, noun, path)
        self._opened = index
        return index

    @property
    def _is_writable(self) -> bool:
        """Return whether the index lies in the library."""
        folder = Path(self.uri, "index")
        return (
            not self._refused
            and is_local(self.uri)
            and os.access(folder if folder.exists() else self.uri, os.W_OK | os.X_OK)
        )

    @cached_property
    def _cache(self) -> Path:
        """Return the folder in the user's cache for libraries at this address."""
        return cache_folder() / "index" / _key(self.uri)

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self.uri)

    def _revision(self, now: bool) -> "Revision":
        """Return the revision of the tables; on an object store as of the last `LOOK` seconds."""
        if is_local(self.uri):
            return latest_revision(self.uri)
        if self._seen is None or now or time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._seen = self._tables.revision()
        return self._seen


def _is_current(index: VectorIndex, revision: "Revision") -> bool:
    return index.revision == revision and index.generation.exists() and not index.damaged


def _key(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@cache
def _temporary(uri: str) -> Path:
    """Return a folder that lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="framefind-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _log.warning(
        "neither %s nor the user's cache folder can be written: the index is built again each time",
        uri,
    )
    return folder
