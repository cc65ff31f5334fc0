"""The files of a library's text index: a new folder for each change, published by the manifest."""

import errno
import os
import shutil
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.index.checksums import seal
from framefind.index.text import (
    CUE,
    FORMS,
    TABLES,
    SavedText,
    TextIndex,
    as_columns,
    connect,
    is_hyphenated,
)
from framefind.index.tokens import fold
from framefind.types import CUE_SOURCES

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DEAD_SHARE = 0.3
"""Of the cues in the files; beyond it they are built again."""

MAX_GAP_SECONDS = 3.0
"""Between two cues over which a sentence may run."""

_UNLOCKED = "mode=rwc&nolock=1"  # the folder is locked, and network drives lack locks
_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}

Read = Callable[[Collection[str]], "Iterable[pa.RecordBatch]"]
"""Reads the cues of some segments."""


def save_text(
    folder: Path, old: TextIndex | None, published: Collection[str], read: Read
) -> tuple[SavedText, set[str]]:
    """Write into `folder` a text index of the published segments: that of `old`, brought up.

    Only segments that `old` lacks are read; those that have no cues any more are returned as well.
    Raises OSError when there is no room.
    """
    if old and _dead_share(old, published) > MAX_DEAD_SHARE:
        old = None
    fresh = folder / uuid.uuid4().hex
    fresh.mkdir()
    try:
        if old:
            shutil.copyfile(old.folder / "words.db", fresh / "words.db")
        with _writing(fresh / "words.db") as database:
            if not old:
                for statement in TABLES:
                    database.execute(statement)
            writer = _Writer(database, old)
            writer.drop(published)
            missing = sorted({*published} - {*writer.segments})
            for batch in read(missing):
                writer.add(batch)
        writer.save(fresh)
        return SavedText(fresh, seal(fresh)), {*missing} - {*writer.segments}
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _dead_share(old: TextIndex, published: Collection[str]) -> float:
    live = [at for at, name in enumerate(old.segments) if name in published]
    return 1 - float(np.isin(old.cues["segment"], live).mean()) if len(old.cues) else 0.0


@contextmanager
def _writing(file: Path) -> Iterator[sqlite3.Connection]:
    """Give a database that nobody else sees, in one transaction. Raises OSError."""
    try:
        with closing(connect(file, _UNLOCKED)) as database:
            database.execute("pragma journal_mode = off")
            database.execute("pragma synchronous = off")  # `seal` syncs
            database.execute("begin")
            yield database
            database.execute("commit")
    except sqlite3.OperationalError as error:
        code = _ERRNO.get(error.sqlite_errorcode & 0xFF, errno.EIO)
        raise OSError(code, f"{os.strerror(code)} ({error})", str(file)) from error


class _Writer:
    """The cues of a text index that is being written."""

    def __init__(self, database: sqlite3.Connection, old: TextIndex | None) -> None:
        self._database = database
        self._cues = [np.array(old.cues)] if old else []
        self._count = len(old.cues) if old else 0
        self._sources = {name: at for at, name in enumerate(CUE_SOURCES)}
        self.segments = list(old.segments) if old else []
        self._ordinals: dict[str, int] = {}  # of new ones
        self._video_ids = {name: at for at, name in enumerate(old.video_ids if old else [])}

    def drop(self, published: Collection[str]) -> None:
        """Delete the cues of segments that are no longer published."""
        dead = [at for at, name in enumerate(self.segments) if name not in published]
        for at in dead:
            self.segments[at] = ""
        for cues in self._cues:
            gone = np.isin(cues["segment"], dead)
            for rowid in (np.flatnonzero(gone) + 1).tolist():
                self._delete(rowid)
            cues["segment"][gone] = -1

    def _delete(self, rowid: int) -> None:
        ((text,),) = self._database.execute("select text from cues where rowid = ?", (rowid,))
        self._database.execute("delete from cues where rowid = ?", (rowid,))
        self._database.execute(
            f"insert into words(words, rowid, {', '.join(FORMS)}) values ('delete', ?, ?, ?, ?)",
            (rowid, *as_columns(text)),
        )
        self._database.execute(
            "insert into parts(parts, rowid, text) values ('delete', ?, ?)", (rowid, fold(text))
        )

    def add(self, batch: "pa.RecordBatch") -> None:
        """Append cues of new segments."""
        rows = batch.to_pylist()
        texts = [row["text"] or "" for row in rows]
        cues = np.empty(len(rows), CUE)
        for at, row in enumerate(rows):
            video = self._video_ids.setdefault(row["video_id"], len(self._video_ids))
            box = row["box"] or [np.nan] * 4
            source = self._sources.get(row["source"], -1)
            segment = self._ordinal(row["segment"])
            language = zlib.crc32((row["language"] or "").encode())
            times = row["start"], row["end"]
            cues[at] = (segment, video, *times, source, language, -1, is_hyphenated(texts[at]), box)
        rowids = range(self._count + 1, self._count + 1 + len(rows))
        for into, values in (
            ("cues(rowid, text) values (?, ?)", ((text,) for text in texts)),
            (f"words(rowid, {', '.join(FORMS)}) values (?, ?, ?, ?)", map(as_columns, texts)),
            ("parts(rowid, text) values (?, ?)", ((fold(text),) for text in texts)),
        ):
            numbered = ((rowid, *columns) for rowid, columns in zip(rowids, values, strict=True))
            self._database.executemany(f"insert into {into}", numbered)
        self._cues.append(cues)
        self._count += len(rows)

    def _ordinal(self, segment: str) -> int:
        if segment not in self._ordinals:
            self._ordinals[segment] = len(self.segments)
            self.segments.append(segment)
        return self._ordinals[segment]

    def save(self, folder: Path) -> None:
        """Write what is not in the database."""
        cues = np.concatenate([np.empty(0, CUE), *self._cues])
        cues["next"] = _find_next(cues)
        np.save(folder / "cues.npy", cues)
        np.save(folder / "segments.npy", np.array(self.segments, np.str_))
        np.save(folder / "videos.npy", np.array([*self._video_ids], np.str_))


def _find_next(cues: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the row of the cue that follows each in its video, source and language, or -1.

    Lines that stand on the screen at the same time follow each other from top to bottom.
    """
    live = np.flatnonzero(cues["segment"] >= 0)
    top = cues["box"][:, 1]
    keys = (top, cues["start"], cues["language"], cues["source"], cues["video"])
    order = live[np.lexsort([key[live] for key in keys])]
    first, second = cues[order[:-1]], cues[order[1:]]
    follows = second["start"] - first["end"] <= MAX_GAP_SECONDS
    for name in ("video", "source", "language"):
        follows &= first[name] == second[name]
    following = np.full(len(cues), -1)
    following[order[:-1][follows]] = order[1:][follows]
    return following
