"""The data files of the table `frames`: Parquet, laid out so that one thumbnail is cheap to fetch.

To read one thumbnail, all thumbnails of its row group are read, so row groups are small. JPEG does
not compress, so thumbnails are stored uncompressed. Embeddings are rounded to half precision, so
that the split bytes of their float32 compress to half. Only the key columns have statistics, so
that footers stay small.
"""

import json
import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from numpy.typing import NDArray

from framefind.errors import DataFileError
from framefind.files import disk
from framefind.tables.address import as_library_error, filesystem, is_local
from framefind.tables.schema import FRAMES, conform

if TYPE_CHECKING:
    from framefind.tables.rows import FrameRow

ROWS_PER_GROUP = 128
"""Maximum frames in a row group."""

MAX_BUFFER_BYTES = 8 << 20
"""Bytes of frames that a writer gathers before it sorts them and writes row groups."""

KEYS = ["video_id", "segment", "t"]
_MATRIX = FRAMES.field("boxes").type
_KEYS = pa.schema([FRAMES.field(name) for name in KEYS])
_SEGMENTS = pa.schema([FRAMES.field("segment")])
_INDEXED = pa.schema([field for field in FRAMES if field.name != "thumbnail"])
_BOXES, _EMBEDDINGS = (f"{name}.list.element.list.element" for name in ("boxes", "embeddings"))

Key = tuple[str, str, float]
"""video_id, segment and t of a frame."""


@dataclass(frozen=True)
class DataFile:
    """A finished data file, in plain values, so that an executor can send it to the committer.

    `path` is relative to the table, `size` in bytes. `min_key` and `max_key` hold the smallest and
    the largest values of the columns `keys` (video_id, segment and a time), each by itself; None in
    files of `videos`.
    """

    path: str
    size: int
    rows: int
    min_key: Key | None = None
    max_key: Key | None = None
    keys: tuple[str, ...] = tuple(KEYS)

    def statistics(self) -> str:
        """Return the statistics for Delta Lake's log: a JSON object."""
        statistics: dict[str, Any] = {"numRecords": self.rows}
        if self.min_key and self.max_key:
            statistics["minValues"] = dict(zip(self.keys, self.min_key, strict=True))
            statistics["maxValues"] = dict(zip(self.keys, self.max_key, strict=True))
            statistics["nullCount"] = dict.fromkeys(self.keys, 0)
        return json.dumps(statistics)


class FramesWriter:
    """A writer of one data file of the table `frames` at `table`.

    Rows are gathered up to `MAX_BUFFER_BYTES`, sorted by video and time, and written as row groups
    of `ROWS_PER_GROUP`. No row counts before `Tables.publish` receives the file. The file is
    deleted when writing fails (LibraryError), and at the end of a `with` block without `close`.
    `rows` and `size` (bytes of thumbnails and vectors) tell the caller when to close.
    """

    def __init__(self, table: str, schema: pa.Schema = FRAMES) -> None:
        self.rows = 0
        self.size = 0
        self._table = table
        self._schema = schema
        self._store = filesystem(table)
        self._path = f"{secrets.token_hex(16)}.parquet"
        self._rows: list[FrameRow] = []
        self._tables: list[pa.Table] = []
        self._buffered_bytes = 0  # of these two
        self._sink: pyarrow.NativeFile | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._spans: list[tuple[Key, Key]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def add(self, row: "FrameRow") -> None:
        """Add one frame."""
        self._rows.append(row)
        self._count(1, len(row.thumbnail) + row.embeddings.nbytes)

    def extend(self, rows: pa.Table) -> None:
        """Add the rows of a table of the writer's schema."""
        self._tables.append(rows)
        self._count(rows.num_rows, rows.nbytes)

    def close(self) -> list[DataFile]:
        """Finish the file. Return it in a list, which is empty when there were no rows."""
        self._flush()
        if self._parquet is None or self._sink is None:
            return []
        with self._deleting_on_error():
            self._parquet.close()
            self._sink.close()
            if is_local(self._table):
                disk.sync(Path(self._table, self._path))
            size = self._store.get_file_info(self._path).size
        self._parquet = None
        lows, highs = (zip(*keys, strict=True) for keys in zip(*self._spans, strict=True))
        return [DataFile(self._path, size, self.rows, _key(map(min, lows)), _key(map(max, highs)))]

    def abort(self) -> None:
        """Delete the file, unless it was closed."""
        if self._parquet is None or self._sink is None:
            return
        self._parquet.is_open = False  # else it would write its footer when it is collected
        self._parquet = None
        with suppress(OSError):
            self._sink.close()
        with suppress(OSError):
            self._store.delete_file(self._path)

    def _count(self, rows: int, size: int) -> None:
        self.rows += rows
        self.size += size
        self._buffered_bytes += size
        if self._buffered_bytes >= MAX_BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write the buffered rows."""
        rows = pa.concat_tables([*self._tables, conform(as_table(self._rows), self._schema)])
        self._rows = []
        self._tables = []
        self._buffered_bytes = 0
        if not rows.num_rows:
            return
        with self._deleting_on_error():
            if self._parquet is None:
                self._sink = self._store.open_output_stream(self._path)
                self._parquet = _parquet(self._sink, self._schema)
            rows = rows.sort_by([("video_id", "ascending"), ("t", "ascending")])
            self._parquet.write_table(rows, row_group_size=ROWS_PER_GROUP)
            self._spans.append(key_span(rows))

    @contextmanager
    def _deleting_on_error(self) -> Iterator[None]:
        """Delete the file on any error."""
        try:
            with as_library_error(f"cannot write to {self._table}"):
                yield
        except BaseException:
            self.abort()
            raise


def merge(
    table: str, paths: Sequence[str], segments: Collection[str], schema: pa.Schema = FRAMES
) -> list[DataFile]:
    """Write the rows of some segments in some data files into one new file of that schema."""
    store = filesystem(table)
    with FramesWriter(table, schema) as writer:
        for path in paths:
            with _opened(store, path) as parquet:
                # One thread, because Arrow keeps the memory that each thread has used.
                groups = _with_segments(parquet.metadata, segments)
                batches = parquet.iter_batches(2 * ROWS_PER_GROUP, groups, use_threads=False)
                for batch in batches:
                    rows = conform(batch, schema)
                    selected = rows.filter(among(rows["segment"], segments))
                    writer.extend(pa.Table.from_batches([selected]))
        return writer.close()


def read(store: pyarrow.fs.FileSystem, path: str, schema: pa.Schema) -> pa.Table:
    """Read a data file of any table with the columns of `schema`."""
    with _opened(store, path) as parquet:
        return conform(parquet.read(), schema)


def count_segments(store: pyarrow.fs.FileSystem, path: str) -> dict[str, int]:
    """Return the number of frames per segment in a data file; reads that column only."""
    with _opened(store, path) as parquet:
        column = conform(parquet.read(["segment"]), _SEGMENTS)["segment"]
        counts = pc.value_counts(column).to_pylist()
    return {count["values"]: count["counts"] for count in counts if count["values"] is not None}


def read_frames(
    store: pyarrow.fs.FileSystem, path: str, segments: Collection[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the frames of some segments without thumbnails, in batches of about a thousand."""
    with _opened(store, path) as parquet:
        groups = _with_segments(parquet.metadata, segments)
        for batch in parquet.iter_batches(
            8 * ROWS_PER_GROUP, row_groups=groups, columns=_INDEXED.names
        ):
            rows = conform(batch, _INDEXED)
            selected = rows.filter(among(rows["segment"], segments))
            if selected.num_rows:
                yield selected


def _with_segments(metadata: pq.FileMetaData, segments: Collection[str]) -> list[int]:
    """Return the row groups that may hold frames of the segments; all without statistics."""
    ordered = sorted(segments)
    groups = range(metadata.num_row_groups)
    column = _column_names(metadata).index("segment")
    spans = [metadata.row_group(group).column(column).statistics for group in groups]
    if not all(span is not None and span.has_min_max for span in spans):
        return list(groups)
    starts = [bisect_left(ordered, span.min) for span in spans]
    stops = [bisect_right(ordered, span.max) for span in spans]
    return [group for group in groups if starts[group] < stops[group]]


def read_thumbnails(
    store: pyarrow.fs.FileSystem, path: str, keys: Collection[Key]
) -> dict[Key, bytes]:
    """Return the thumbnails of some frames, as far as a data file holds them: JPEGs by key."""
    thumbnails: dict[Key, bytes] = {}
    with _opened(store, path) as parquet:
        for group, candidates in _groups(parquet.metadata, keys):
            table = conform(parquet.read_row_group(group, KEYS, use_threads=False), _KEYS)
            rows = _rows(table, candidates)
            if rows:  # statistics also admit row groups that do not hold the frames
                jpegs = _read_group_thumbnails(parquet, path, group)
                shown = {key: jpegs[row] for key, row in rows.items()}
                thumbnails |= {key: jpeg for key, jpeg in shown.items() if jpeg is not None}
    return thumbnails


def read_pictures(
    store: pyarrow.fs.FileSystem, path: str
) -> Iterator[tuple[list[str], list[bytes | None]]]:
    """Yield segments and thumbnails of a data file, by row group; None for a damaged thumbnail."""
    with _opened(store, path) as parquet:
        for group in range(parquet.num_row_groups):
            rows = parquet.read_row_group(group, ["segment"], use_threads=False)
            segments = conform(rows, _SEGMENTS)["segment"].to_pylist()
            yield segments, _read_group_thumbnails(parquet, path, group)


def _read_group_thumbnails(parquet: pq.ParquetFile, path: str, group: int) -> list[bytes | None]:
    """Return the thumbnails of a row group, all None where they are damaged or have no column."""
    with suppress(DataFileError), _as_data_file_error(path):
        if "thumbnail" in parquet.schema_arrow.names:
            jpegs = parquet.read_row_group(group, ["thumbnail"], use_threads=False)[0]
            return list(jpegs.to_pylist())
    return [None] * parquet.metadata.row_group(group).num_rows


def may_hold(action: Mapping[str, Any], key: Key) -> bool:
    """Return whether a data file may hold a frame, by the statistics in its log entry."""
    for name, part in zip(KEYS, key, strict=True):
        low = action.get(f"min.{name}")
        high = action.get(f"max.{name}")
        if low is not None and high is not None and not low <= part <= high:
            return False
    return True


def _groups(metadata: pq.FileMetaData, frames: Collection[Key]) -> Iterator[tuple[int, set[Key]]]:
    """Yield the row groups that may hold some of the frames, each with the keys of those."""
    names = _column_names(metadata)
    columns = [(KEYS.index(name), i) for i, name in enumerate(names) if name in KEYS]
    for group in range(metadata.num_row_groups):
        keys = set(frames)
        chunks = metadata.row_group(group)
        for part, column in columns:
            statistics = chunks.column(column).statistics if keys else None
            if statistics is not None and statistics.has_min_max:
                keys = {key for key in keys if statistics.min <= key[part] <= statistics.max}
        if keys:
            yield group, keys


def _rows(table: pa.Table, keys: Collection[Key]) -> dict[Key, int]:
    """Return the row of each frame in a table of the key columns, as far as it is in it."""
    times = table["t"].to_numpy()
    return {
        key: int(row)
        for key in keys
        for row in np.flatnonzero(times == key[2])
        if key == tuple(table[name][int(row)].as_py() for name in KEYS)
    }


def _column_names(metadata: pq.FileMetaData) -> list[str]:
    return [metadata.schema.column(i).path for i in range(metadata.num_columns)]


@contextmanager
def _opened(store: pyarrow.fs.FileSystem, path: str) -> Iterator[pq.ParquetFile]:
    """Open a data file; raise DataFileError when it is missing or damaged."""
    with (
        _as_data_file_error(path),
        pq.ParquetFile(
            path, filesystem=store, pre_buffer=False, page_checksum_verification=True
        ) as parquet,
    ):
        yield parquet


@contextmanager
def _as_data_file_error(path: str) -> Iterator[None]:
    """Raise DataFileError where a data file turns out to be missing or damaged."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataFileError(f"the data file {path} is missing") from error
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file may be whole, but cannot be read now
        reason = " ".join(str(error).split())
        raise DataFileError(f"the data file {path} is damaged: {reason}") from error


def _parquet(sink: pyarrow.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    leaves = [_BOXES, _EMBEDDINGS, *KEYS]
    return pq.ParquetWriter(
        sink,
        schema,
        compression={"thumbnail": "none", **dict.fromkeys(leaves, "zstd")},
        use_dictionary=["video_id", "segment", _BOXES],
        column_encoding={_EMBEDDINGS: "BYTE_STREAM_SPLIT"},
        write_statistics=KEYS,
        write_page_checksum=True,
        store_schema=False,
    )


def as_table(rows: Sequence["FrameRow"]) -> pa.Table:
    """Return frames as a table of FRAMES; vectors are rounded to half precision."""
    vectors = [row.embeddings.astype(np.float16).astype(np.float32) for row in rows]
    boxes = [np.asarray(row.boxes, np.float32).reshape(-1, 4) for row in rows]
    columns: list[Any] = [
        pa.array([row.video_id for row in rows], pa.string()),
        pa.array([row.segment for row in rows], pa.string()),
        pa.array([row.t for row in rows], pa.float64()),
        pa.array([row.thumbnail for row in rows], pa.binary()),
        _lists(boxes),
        _lists(vectors),
    ]
    return pa.Table.from_arrays(columns, schema=FRAMES)


def _lists(matrices: Sequence[NDArray[np.float32]]) -> pa.ListArray:
    """Return matrices of one width as lists of lists, without a Python object per number."""
    if not matrices:
        return pa.array([], _MATRIX)
    rows = np.concatenate(matrices)
    inner = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    outer = np.cumsum([0, *map(len, matrices)], dtype=np.int32)
    return pa.ListArray.from_arrays(outer, pa.ListArray.from_arrays(inner, rows.ravel()))


def key_span(rows: pa.Table, keys: Sequence[str] = KEYS) -> tuple[Key, Key]:
    """Return the smallest and the largest values of the key columns, each by itself."""
    spans = [pc.min_max(rows[name]).as_py() for name in keys]
    return _key(span["min"] for span in spans), _key(span["max"] for span in spans)


def _key(parts: Iterable[Any]) -> Key:
    video_id, segment, t = parts
    return video_id, segment, t


def among(column: pa.ChunkedArray | pa.Array, values: Collection[str]) -> Any:
    """Return which texts of a column are among some values: an array of booleans."""
    return pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))
