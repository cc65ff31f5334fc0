"""The two Delta tables that are a library: `videos` and `frames`.

A frame counts if and only if its segment is in its video's `segments`. So data files are appended
to `frames` first, where nobody sees them, and one MERGE on the small `videos` then publishes,
replaces and removes whole videos at once. Killed in between, only unpublished rows remain, which
`maintain` drops.

deltalake and pyarrow are imported where they are used, so that a search that finds its index up to
date loads neither.
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

MAX_COMMIT_ATTEMPTS = 50
"""Maximum attempts at a commit that loses to concurrent writers."""

_PREFIX = "framefind."
_T = TypeVar("_T")


class Tables:
    """The two tables of one library, at a local path or an object-store URI.

    Every method sees the newest version. Methods raise LibraryError when the library cannot be
    read or written; what was committed before stays as it was.
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        """Name a library. Raises LibraryError for a path where there can be none."""
        self.uri = os.fspath(uri)
        check_address(self.uri)

    @staticmethod
    def exists(uri: str | os.PathLike[str]) -> bool:
        """Whether there is a library."""
        table = Tables(uri).address("frames")  # what `create` makes last
        if is_local(table):
            return latest_entry(Path(table, "_delta_log")) is not None
        from deltalake import DeltaTable

        with Tables(uri).reading():
            return DeltaTable.is_deltatable(table, storage_options(table))

    @classmethod
    def create(cls, uri: str | os.PathLike[str], fingerprint: Mapping[str, str]) -> "Tables":
        """Make an empty library for the vectors of one fingerprint (model name, weights hash, …).

        Raises LibraryError when there is one already, or a local folder that holds other things.
        """
        from deltalake import DeltaTable

        from framefind.tables import schema

        tables = cls(uri)
        if cls.exists(uri):
            raise LibraryError(f"{uri} is a framefind library already")
        if is_local(tables.uri) and holds_others(Path(uri)):
            raise LibraryError(
                f"{uri} is not empty, and no framefind library or one that has lost its frames: "
                "restore it or choose a new one"
            )
        version = {
            _PREFIX + "schema": str(schema.VERSION),
            "delta.checkpointInterval": "20",
            "delta.logRetentionDuration": "interval 7 days",  # every search lists the log
        }
        model = {_PREFIX + name: value for name, value in fingerprint.items()}
        with tables.writing():
            DeltaTable.create(
                tables.address("videos"),
                schema.VIDEOS,
                mode="ignore",  # an interrupted `create` left it
                storage_options=storage_options(tables.uri),
                configuration=version,
                raise_if_key_not_exists=False,
            )
            if list_files(tables.delta("videos")):
                raise LibraryError(f"{uri} has lost its frames; restore it or choose a new one")
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
            version = tables.delta(name).metadata().configuration.get(_PREFIX + "schema", "")
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
        """What the library's vectors were made with, as given to `create`."""
        properties = self.delta("frames").metadata().configuration.items()
        ours = {k.removeprefix(_PREFIX): v for k, v in properties if k.startswith(_PREFIX)}
        return {name: value for name, value in ours.items() if name != "schema"}

    def versions(self) -> tuple[int, int]:
        """The newest versions of `videos` and `frames`.

        On an object store the first call reads their logs, and later ones what has been added.
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
        """What tells the library from all others: the ids of its tables, which copies share."""
        return " ".join(str(self.delta(name).metadata().id) for name in ("videos", "frames"))

    def revision(self) -> Revision:
        """What tells the library's content from that at all other times, and of all others."""
        if is_local(self.uri):
            return latest_revision(self.uri)
        for _ in range(2):
            versions = self.versions()
            try:
                videos, frames = map(self._entry, ("videos", "frames"), versions)
            except FileNotFoundError:
                del self._watched  # other tables have taken the place of those that were watched
            else:
                return digest_entry(versions[0], videos), digest_entry(versions[1], frames)
        ids = self.identity.encode()  # the entries themselves were deleted, as old ones are
        return digest_entry(versions[0], ids), digest_entry(versions[1], ids)

    def _entry(self, name: str, version: int) -> bytes:
        """An entry of the log of a table on an object store; FileNotFoundError without it."""
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

    def count(self) -> int:
        """The rows of `frames`, published or not, by the log's statistics."""
        return self.delta("frames").count()

    def writer(self) -> "FramesWriter":
        """A writer of one data file of `frames`."""
        from framefind.tables.data_files import FramesWriter

        return FramesWriter(self.address("frames"))

    def publish(
        self,
        files: "Sequence[DataFile]" = (),
        videos: Sequence[Video] = (),
        removed: Collection[str] = (),
        transaction: tuple[str, int] | None = None,
        forgets: bool = False,
    ) -> bool:
        """Append data files to `frames`, then write and remove videos by id in one commit.

        With a transaction (application, number) that happens exactly once: when the application
        has published that number or a higher one, nothing changes and False is returned. Another
        writer's commit in between makes this one run again. An id in both is written. What
        `forgets` for a user is marked in the log, so that it can be restored.
        """
        from framefind.tables import videos_table
        from framefind.tables.schema import complete

        if transaction and self.has_published(transaction):
            return False
        if files:
            self._append(files)
        if not (videos or removed or transaction):
            return True

        def merge() -> bool:
            table = self.delta("videos")
            if transaction and videos_table.has_transaction(table, transaction):
                return False
            complete(table, "videos")
            videos_table.merge(table, videos, removed, transaction, forgets)
            return True

        done = self.commit(merge)
        with suppress(LibraryError):  # it is published all the same; a later commit tidies
            self.compact_videos()
        return done

    def compact_videos(self, keep: int | None = None) -> None:
        """Merge the small data files of `videos` when there are more than `keep` (default: 16).

        Does nothing when another commits meanwhile.
        """
        from framefind.tables import videos_table

        keep = videos_table.MAX_SMALL_FILES if keep is None else keep
        with self.writing():
            videos_table.compact(self.address("videos"), self.delta("videos"), keep)

    def has_published(self, transaction: tuple[str, int]) -> bool:
        """Whether the application has published that number or a higher one."""
        from framefind.tables import videos_table

        return videos_table.has_transaction(self.delta("videos"), transaction)

    def frame_files(self) -> list[str]:
        """The data files of `frames`, as paths relative to it."""
        return sorted(action["path"] for action in list_files(self.delta("frames")))

    def read_segments(self, file: str) -> dict[str, int]:
        """The rows of each segment in one data file; reads that column only."""
        from framefind.tables import data_files

        with self.reading():
            return data_files.count_segments(self.store, file)

    def find_lost(self, videos: Sequence[Video]) -> list[str]:
        """The ids of those videos of which a segment is in no data file any more."""
        there: set[str] = set()
        for file in self.frame_files():
            with suppress(DataFileError):
                there |= self.read_segments(file).keys()
        return [video.video_id for video in videos if not there.issuperset(video.segments)]

    def read_frames(self, file: str, segments: Collection[str]) -> "Iterator[pa.RecordBatch]":
        """The frames of those segments in one data file, in batches of about a thousand.

        Columns video_id, segment, t, boxes and embeddings; never the thumbnails.
        """
        from framefind.tables import data_files

        with self.reading():
            yield from data_files.read_frames(self.store, file, segments)

    def thumbnails(self, wanted: "Sequence[Key]") -> list[bytes | None]:
        """The JPEGs of frames given by video_id, segment and t; None for one that is not there."""
        from framefind.tables import data_files

        jobs = []
        with self.reading(), ThreadPoolExecutor(8) as pool:
            for action in list_files(self.delta("frames")):
                if keys := [key for key in wanted if data_files.may_hold(action, key)]:
                    path = action["path"]
                    jobs.append(pool.submit(data_files.read_thumbnails, self.store, path, keys))
            found: dict[Key, bytes] = {}
            for job in jobs:
                with suppress(DataFileError):
                    found |= job.result()
        return [found.get(key) for key in wanted]

    def address(self, name: str) -> str:
        """The path or URI of one of the tables."""
        return f"{self.uri.rstrip('/')}/{name}"

    def delta(self, name: str) -> "DeltaTable":
        """The newest version of one of the tables."""
        from deltalake.exceptions import TableNotFoundError

        with self.reading():
            try:
                return open_table(self.address(name))
            except (TableNotFoundError, FileNotFoundError) as error:
                raise missing_library(self.uri) from error

    @cached_property
    def store(self) -> Any:
        """The file system of `frames`."""
        return filesystem(self.address("frames"))

    def commit(self, commit: Callable[[], _T]) -> _T:
        """Run what commits, and again whenever another writer came before it."""
        from deltalake.exceptions import CommitFailedError

        with self.writing():
            for attempt in range(1, MAX_COMMIT_ATTEMPTS):
                with suppress(CommitFailedError):
                    return commit()
                time.sleep(random.uniform(0, 0.01 * min(attempt, 20)))
            return commit()

    def _append(self, files: "Sequence[DataFile]") -> None:
        from framefind.tables.schema import FRAMES, complete

        def append() -> None:
            table = self.delta("frames")
            complete(table, "frames")
            table.create_write_transaction([*add_actions(files)], "append", FRAMES)

        self.commit(append)

    @contextmanager
    def reading(self, *but: type[Exception]) -> Iterator[None]:
        """Turns what the store or the format raises into LibraryError, `but` for some."""
        with as_library_error(f"cannot read the library {self.uri}", *but):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what the store or the format raises into LibraryError."""
        with as_library_error(f"cannot write to the library {self.uri}"):
            yield
