"""The table `cues`: small beside `frames`, so what a commit appends is one data file.

A library that was made before there were cues has no such table until some are appended.
deltalake is imported where it is used.
"""

import logging
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from framefind.errors import DataFileError
from framefind.files import disk
from framefind.tables import data_files
from framefind.tables.address import as_library_error, filesystem, is_local, storage_options
from framefind.tables.data_files import DataFile
from framefind.tables.delta_log import list_files, open_table
from framefind.tables.rows import CueRow, segment_source
from framefind.tables.schema import CUES
from framefind.types import Cue

KEYS = ("video_id", "segment", "start")
_ROWS_PER_GROUP = 8192

_log = logging.getLogger(__name__)


def create(address: str, properties: Mapping[str, str]) -> None:
    """Create the table unless it is there."""
    from deltalake import DeltaTable

    DeltaTable.create(
        address,
        CUES,
        mode="ignore",
        storage_options=storage_options(address),
        configuration=dict(properties),
        raise_if_key_not_exists=False,
    )


def exists(address: str) -> bool:
    """Return whether there is the table."""
    from deltalake import DeltaTable

    return DeltaTable.is_deltatable(address, storage_options(address))


def find_files(address: str) -> list[dict[str, object]]:
    """Return the data files as the log lists them; none where there is no table."""
    from deltalake.exceptions import TableNotFoundError

    try:
        return list_files(open_table(address))
    except (TableNotFoundError, FileNotFoundError):
        return []


def as_table(rows: Sequence[CueRow]) -> pa.Table:
    """Return cues as a table of CUES."""
    records = [vars(row.cue) | {"video_id": row.video_id, "segment": row.segment} for row in rows]
    return pa.Table.from_pylist(records, CUES)


def as_cues(batches: Iterable[pa.RecordBatch]) -> list[Cue]:
    """Return rows of CUES as cues, in order of time."""
    rows = [row for batch in batches for row in batch.to_pylist()]
    cues = [
        Cue(
            start=row["start"],
            end=row["end"],
            text=row["text"],
            source=row["source"] or segment_source(row["segment"]),
            language=row["language"] or "",
            box=row["box"] and tuple(row["box"]),
        )
        for row in rows
    ]
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def write(address: str, rows: pa.Table) -> list[DataFile]:
    """Write cues as one new data file, in order of video and time; no file without cues.

    None of them counts before `Tables.publish` receives the file.
    """
    if not rows.num_rows:
        return []
    store = filesystem(address)
    path = f"{secrets.token_hex(16)}.parquet"
    rows = rows.sort_by([("video_id", "ascending"), ("start", "ascending")])
    with as_library_error(f"cannot write to {address}"):
        pq.write_table(
            rows,
            path,
            filesystem=store,
            row_group_size=_ROWS_PER_GROUP,
            compression="zstd",
            store_schema=False,
            write_page_checksum=True,
        )
        if is_local(address):
            disk.sync(Path(address, path))
        size = store.get_file_info(path).size
    return [DataFile(path, size, rows.num_rows, *data_files.key_span(rows, KEYS), KEYS)]


def merge(
    address: str, paths: Sequence[str], segments: Collection[str], schema: pa.Schema
) -> list[DataFile]:
    """Write the rows of some segments in some data files into one new file of that schema."""
    store = filesystem(address)
    parts = [data_files.read(store, path, schema) for path in paths]
    rows = pa.concat_tables([schema.empty_table(), *parts])
    return write(address, rows.filter(data_files.among(rows["segment"], segments)))


def read(address: str, segments: Collection[str]) -> Iterator[pa.RecordBatch]:
    """Yield the cues of some segments, with the columns of CUES, a batch per data file at least.

    Files that hold none of them, by the log's statistics, are not opened. Cues that are lost are
    told in the log, and are missing from what is returned.
    """
    if not segments:
        return
    ordered = sorted(segments)
    lost = set(segments)
    reasons = []
    store = filesystem(address)
    for action in find_files(address):
        low, high = (str(action.get(f"{end}.segment") or "") for end in ("min", "max"))
        if high and (high < ordered[0] or low > ordered[-1]):
            continue
        try:
            rows = data_files.read(store, str(action["path"]), CUES)
        except DataFileError as error:
            reasons.append(str(error))
            continue
        selected = rows.filter(data_files.among(rows["segment"], segments))
        lost.difference_update(pc.unique(selected["segment"]).to_pylist())
        yield from selected.to_batches()
    if lost:
        reason = "; ".join(reasons) or "they are in no data file any more"
        _log.warning("%s: some words are lost, index their videos again: %s", address, reason)
