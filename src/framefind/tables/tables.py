"""The Delta tables of a library, `videos`, `frames` and `cues`: opened, read and published to.

A frame or cue counts if and only if its segment is in its video's `segments` or `cue_segments`. So
data files are first appended to `frames` and `cues`, where no reader sees their rows, and then one
MERGE on the small `videos` publishes, replaces and removes whole videos at once. A writer that is
killed in between leaves unpublished rows behind, which `maintain` drops.

deltalake and pyarrow are imported where they are used, so that a search whose index is up to date
loads neither.
"""

import os
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from framefind.errors import DataFileError, LibraryError
from framefind.tables.address import (
    as_library_error,
    check_address,
    filesystem,
    holds_others,
    is_local,
    storage_options,
)
from framefind.tables.delta_log import (
    Revision,
    add_actions,
    digest_entry,
    latest_entry,
    latest_revision,
    latest_versions,
    list_files,
    missing_library,
    open_table,
)
from framefind.types import Video

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from framefind.tables.data_files import DataFile, FramesWriter, Key
    from framefind.tables.rows import CueRow

MAX_COMMIT_ATTEMPTS = 50
"""Maximum attempts at a commit that loses to concurrent writers."""

_PREFIX = "framefind."
_SCHEMA = _PREFIX + "schema"
_T = TypeVar("_T")


class Tables:
    """The tables of one library, at a local path or an object-store URI.

    Every method sees the newest version. Methods raise LibraryError when the library cannot be
    read or written; what was committed before stays as it was.
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        """Set the address of a library. Raises LibraryError for a path that cannot hold one."""
        self.uri = os.fspath(uri)
        check_address(self.uri)

    @staticmethod
    def exists(uri: str | os.PathLike[str]) -> bool:
        """Return whether there is a library."""
        table = Tables(uri).address("frames")  # `create` makes it last
        if is_local(table):
            return latest_entry(Path(table, "_delta_log")) is not None
        from deltalake import DeltaTable

        with Tables(uri).reading():
            return DeltaTable.is_deltatable(table, storage_options(table))

    @classmethod
    def create(cls, uri: str | os.PathLike[str], fingerprint: Mapping[str, str]) -> "Tables":
        """Create an empty library for the vectors of one fingerprint (model, weights hash, …).

        Raises LibraryError when there is one already, and for a local folder that is not empty.
        """
        from deltalake import DeltaTable

        from framefind.tables import cues_table, schema

        tables = cls(uri)
        if cls.exists(uri):
            raise LibraryError(f"{uri} is a framefind library already")
        if is_local(tables.uri) and holds_others(Path(uri)):
            raise LibraryError(
                f"{uri} is not empty and is not a complete framefind library (its `frames` table "
                "is missing): restore it or choose another folder"
            )
        version = {
            _SCHEMA: str(schema.VERSION),
            "delta.checkpointInterval": "20",
            "delta.logRetentionDuration": "interval 7 days",  # every search lists the log
        }
        model = {_PREFIX + name: value for name, value in fingerprint.items()}
        with tables.writing():
            DeltaTable.create(
                tables.address("videos"),
                schema.VIDEOS,
                mode="ignore",  # an interrupted `create` may have left it
                storage_options=storage_options(tables.uri),
                configuration=version,
                raise_if_key_not_exists=False,
            )
            if list_files(tables.delta("videos")):
                raise LibraryError(
                    f"{uri} is not a complete framefind library (its `frames` table is missing): "
                    "restore it or choose another folder"
                )
            cues_table.create(tables.address("cues"), version)
            DeltaTable.create(
                tables.address("frames"),
                schema.FRAMES,
                storage_options=storage_options(tables.uri),
                configuration=model | version,
                raise_if_key_not_exists=False,
            )
        return tables

    @classmethod
    def open(cls, uri: str | os.PathLike[str]) -> "Tables":
        """Open a library. Raises LibraryError when there is none or its schema is newer."""
        from framefind.tables import schema

        if not cls.exists(uri):
            raise missing_library(os.fspath(uri))
        tables = cls(uri)
        for name in ("videos", "frames"):
            version = tables.delta(name).metadata().configuration.get(_SCHEMA, "")
            if not version.isdigit():
                raise LibraryError(f"{uri} is not a framefind library: {name} is of another kind")
            if int(version) > schema.VERSION:
                raise LibraryError(
                    f"{uri} was made by a newer framefind (schema {version}; this one reads "
                    f"{schema.VERSION}); `pip install --upgrade framefind`"
                )
        return tables

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Return the model that made the library's vectors, as given to `create`."""
        properties = self.delta("frames").metadata().configuration
        names = [name for name in properties if name.startswith(_PREFIX)]
        return {name.removeprefix(_PREFIX): properties[name] for name in names if name != _SCHEMA}

    def versions(self) -> tuple[int, int]:
        """Return the newest versions of `videos` and `frames`.

        On an object store the first call reads their logs, later calls only the new entries.
        """
        if is_local(self.uri):
            return latest_versions(self.uri)
        with self.reading():
            for table in self._watched:
                table.update_incremental()
        videos, frames = (table.version() for table in self._watched)
        return videos, frames

    @cached_property
    def identity(self) -> str:
        """Return the ids of both tables, which tell the library from all others but its copies."""
        return " ".join(str(self.delta(name).metadata().id) for name in ("videos", "frames"))

    def revision(self) -> Revision:
        """Return the key of the library's content, which changes whenever the content does."""
        if is_local(self.uri):
            return latest_revision(self.uri)
        for _ in range(2):
            versions = self.versions()
            try:
                videos, frames = map(self._entry, ("videos", "frames"), versions)
            except FileNotFoundError:
                del self._watched  # other tables have taken their place
            else:
                return digest_entry(versions[0], videos), digest_entry(versions[1], frames)
        ids = self.identity.encode()  # the newest entries were deleted, as old ones are
        return digest_entry(versions[0], ids), digest_entry(versions[1], ids)

    def _entry(self, name: str, version: int) -> bytes:
        """Return a log entry of a table on an object store. Raises FileNotFoundError without it."""
        with (
            self.reading(FileNotFoundError),
            filesystem(self.address(name)).open_input_stream(
                f"_delta_log/{version:020}.json"
            ) as stream,
        ):
            return bytes(stream.read())

    @cached_property
    def _watched(self) -> "list[DeltaTable]":
        return [self.delta(name) for name in ("videos", "frames")]

    def videos(self) -> list[Video]:
        """Return all videos, in no particular order."""
        from framefind.tables import videos_table
        from framefind.tables.schema import VIDEOS

        paths = [action["path"] for action in list_files(self.delta("videos"))]
        with self.reading():
            rows = videos_table.read_rows(self.address("videos"), paths, VIDEOS)
        return videos_table.as_videos(rows)

    def writer(self) -> "FramesWriter":
        """Return a writer of one data file of `frames`."""
        from framefind.tables.data_files import FramesWriter

        return FramesWriter(self.address("frames"))

    def publish(
        self,
        files: "Sequence[DataFile]" = (),
        videos: Sequence[Video] = (),
        removed: Collection[str] = (),
        transaction: tuple[str, int] | None = None,
        forgets: bool = False,
        cues: "Sequence[DataFile]" = (),
    ) -> bool:
        """Append `files` to `frames` and `cues`, then write and remove videos in one commit.

        An id in both is written. A commit that loses to another writer's is tried again. With a
        transaction (application, number) this happens exactly once: when the application has
        published that number or a higher one, nothing changes and False is returned. `forgets`
        marks the commit in the log as one that forgets videos for a user, so that they can be
        restored.
        """
        from framefind.tables import videos_table
        from framefind.tables.schema import add_missing_columns

        if transaction and self.has_published(transaction):
            return False
        for name, new in (("frames", files), ("cues", cues)):
            if new:
                self._append(name, new)
        if not (videos or removed or transaction):
            return True

        def merge() -> bool:
            table = self.delta("videos")
            if transaction and videos_table.has_transaction(table, transaction):
                return False
            add_missing_columns(table, "videos")
            videos_table.merge(table, videos, removed, transaction, forgets)
            return True

        published = self.commit(merge)
        with suppress(LibraryError):  # a later commit compacts
            self.compact_videos()
        return published

    def compact_videos(self, keep: int | None = None) -> None:
        """Merge the small data files of `videos` when there are more than `keep` (default: 16).

        Does nothing when another commits meanwhile.
        """
        from framefind.tables import videos_table

        keep = videos_table.MAX_SMALL_FILES if keep is None else keep
        with self.writing():
            videos_table.compact(self.address("videos"), self.delta("videos"), keep)

    def has_published(self, transaction: tuple[str, int]) -> bool:
        """Return whether the application has published that number or a higher one."""
        from framefind.tables import videos_table

        return videos_table.has_transaction(self.delta("videos"), transaction)

    def frame_files(self) -> list[str]:
        """Return the data files of `frames`, as paths relative to it, sorted."""
        return sorted(action["path"] for action in list_files(self.delta("frames")))

    def read_segments(self, file: str, name: str = "frames") -> dict[str, int]:
        """Return the number of rows of each segment in one data file; reads that column only."""
        from framefind.tables import data_files

        with self.reading():
            return data_files.count_segments(filesystem(self.address(name)), file)

    def read_frames(self, file: str, segments: Collection[str]) -> "Iterator[pa.RecordBatch]":
        """Yield the frames of some segments in one data file, in batches of about a thousand.

        Columns video_id, segment, t, boxes and embeddings; never the thumbnails.
        """
        from framefind.tables import data_files

        with self.reading():
            yield from data_files.read_frames(self.store, file, segments)

    def write_cues(self, rows: "Sequence[CueRow]") -> "list[DataFile]":
        """Write cues as a data file of `cues`, for `publish`."""
        from framefind.tables import cues_table, schema

        address = self.address("cues")
        if rows:  # a library from before there were cues has no such table
            self.commit(lambda: cues_table.create(address, {_SCHEMA: str(schema.VERSION)}))
        return cues_table.write(address, cues_table.as_table(rows))

    def read_cues(self, segments: Collection[str] | None = None) -> "Iterator[pa.RecordBatch]":
        """Yield the cues of some segments, or all that count, with the columns of `cues`.

        A segment's cues never change.
        """
        from framefind.tables import cues_table

        if segments is None:
            segments = {name for row in self.videos() for name in row.cue_segments}
        with self.reading():
            yield from cues_table.read(self.address("cues"), segments)

    def count_cues(self, memory: Path | None = None) -> dict[str, int]:
        """Return the number of cues by segment, published or not; none of those that are lost.

        `memory` as in `framefind.tables.cue_counts`.
        """
        from framefind.tables import cue_counts

        with self.reading():
            return cue_counts.count_cues(self.address("cues"), memory)

    def thumbnails(self, keys: "Sequence[Key]") -> list[bytes | None]:
        """Return the JPEGs of frames given by video_id, segment and t; None for a missing one."""
        from framefind.tables import data_files

        jobs = []
        with self.reading(), ThreadPoolExecutor(8) as pool:
            for action in list_files(self.delta("frames")):
                if own_keys := [key for key in keys if data_files.may_hold(action, key)]:
                    path = action["path"]
                    jobs.append(pool.submit(data_files.read_thumbnails, self.store, path, own_keys))
            jpegs: dict[Key, bytes] = {}
            for job in jobs:
                with suppress(DataFileError):
                    jpegs |= job.result()
        return [jpegs.get(key) for key in keys]

    def address(self, name: str) -> str:
        """Return the path or URI of one of the tables: `videos`, `frames` or `cues`."""
        return f"{self.uri.rstrip('/')}/{name}"

    def delta(self, name: str) -> "DeltaTable":
        """Open the newest version of one of the tables."""
        from deltalake.exceptions import TableNotFoundError

        with self.reading():
            try:
                return open_table(self.address(name))
            except (TableNotFoundError, FileNotFoundError) as error:
                raise missing_library(self.uri) from error

    @cached_property
    def store(self) -> Any:
        """Return the file system of `frames`."""
        return filesystem(self.address("frames"))

    def commit(self, commit: Callable[[], _T]) -> _T:
        """Run a commit, and again each time that it loses to another writer's."""
        from deltalake.exceptions import CommitFailedError

        with self.writing():
            for attempt in range(1, MAX_COMMIT_ATTEMPTS):
                with suppress(CommitFailedError):
                    return commit()
                time.sleep(random.uniform(0, 0.01 * min(attempt, 20)))
            return commit()

    def _append(self, name: str, files: "Sequence[DataFile]") -> None:
        from framefind.tables.schema import SCHEMAS, add_missing_columns

        def append() -> None:
            table = self.delta(name)
            add_missing_columns(table, name)
            table.create_write_transaction([*add_actions(files)], "append", SCHEMAS[name])

        self.commit(append)

    @contextmanager
    def reading(self, *except_for: type[Exception]) -> Iterator[None]:
        """Turn errors of the store or the format into LibraryError, `except_for` some types."""
        with as_library_error(f"cannot read the library {self.uri}", *except_for):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn errors of the store or the format into LibraryError."""
        with as_library_error(f"cannot write to the library {self.uri}"):
            yield
