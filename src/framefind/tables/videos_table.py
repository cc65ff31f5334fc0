"""The table `videos`: small, so it is read whole and merged into.

deltalake is imported where it is used.
"""

import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from framefind.errors import DataFileError
from framefind.files import disk
from framefind.tables import data_files
from framefind.tables.address import as_library_error, filesystem, is_local
from framefind.tables.data_files import DataFile
from framefind.tables.delta_log import list_files, replace_files
from framefind.tables.schema import VIDEOS, with_unknown_columns
from framefind.types import Video

if TYPE_CHECKING:
    from deltalake import DeltaTable

FORGETS = "framefind.forgets"
"""What the log says of a commit that forgets videos for a user."""

MAX_SMALL_FILES = 16
"""Small data files that are left alone; every commit adds one."""

_SMALL_FILE_BYTES = 64 << 20
"""A data file with fewer bytes is small."""


def read_rows(address: str, paths: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Read the rows in some data files, with the columns of `schema`.

    Raises DataFileError when one is missing or damaged: nothing else tells what it held.
    """
    store = filesystem(address)
    try:
        parts = [data_files.read(store, path, schema) for path in paths]
    except DataFileError as error:
        raise DataFileError(
            f"cannot read {address}: {error}: bring the library back from a backup, or index into "
            "a new one"
        ) from error
    return pa.concat_tables([schema.empty_table(), *parts])


def as_videos(rows: pa.Table) -> list[Video]:
    """Return rows as videos. What a row lacks has its default; one without id or path is left out.

    The latter are rows that other programs have written.
    """
    filled = [
        {name: value for name, value in row.items() if value is not None}
        for row in rows.to_pylist()
    ]
    return [Video(**row) for row in filled if {"video_id", "path"} <= row.keys()]


def write_rows(address: str, rows: pa.Table) -> DataFile:
    """Write rows as one new data file."""
    store = filesystem(address)
    path = f"{secrets.token_hex(16)}.parquet"
    with as_library_error(f"cannot write to {address}"):
        pq.write_table(rows, path, filesystem=store, compression="zstd", store_schema=False)
        if is_local(address):
            disk.sync(Path(address, path))
        return DataFile(path, store.get_file_info(path).size, rows.num_rows)


def has_transaction(table: "DeltaTable", transaction: tuple[str, int]) -> bool:
    """Return whether an application has published a number or a higher one.

    delta-rs itself lets a transaction that is there already happen again.
    """
    application, number = transaction
    newest = table.transaction_version(application)
    return newest is not None and newest >= number


def merge(
    table: "DeltaTable",
    videos: Sequence[Video],
    removed: Collection[str],
    transaction: tuple[str, int] | None,
    forgets: bool,
) -> None:
    """Write some videos and remove others by id, in one commit; an id in both is written."""
    from deltalake import CommitProperties, Transaction

    rows: dict[str, dict[str, Any]] = {i: {"video_id": i, "removed": True} for i in removed}
    rows |= {video.video_id: vars(video) | {"removed": False} for video in videos}
    source = VIDEOS.append(pa.field("removed", pa.bool_()))
    columns = {name: f"source.{name}" for name in VIDEOS.names}
    properties = CommitProperties(
        app_transactions=[Transaction(*transaction)] if transaction else [],
        custom_metadata={FORGETS: "true"} if forgets else None,
    )
    version = table.version()
    table.merge(
        pa.Table.from_pylist(list(rows.values()), source),
        "target.video_id = source.video_id",
        source_alias="source",
        target_alias="target",
        commit_properties=properties,
    ).when_matched_delete("source.removed").when_matched_update(columns).when_not_matched_insert(
        columns, "not source.removed"
    ).execute()
    if transaction and table.version() == version:
        # A MERGE that changes no row commits nothing, not even its transaction.
        table.create_write_transaction([], "append", VIDEOS, commit_properties=properties)


def compact(address: str, table: "DeltaTable", keep: int = MAX_SMALL_FILES) -> None:
    """Merge the small data files into one when there are more than `keep`.

    Does nothing when another commits meanwhile. delta-rs's own `optimize` would let two
    compactions happen at once, whatever the number of retries, and double every row.
    """
    from deltalake.exceptions import CommitFailedError

    sizes = {action["path"]: action["size_bytes"] for action in list_files(table)}
    small = {path: size for path, size in sizes.items() if size < _SMALL_FILE_BYTES}
    if len(small) <= keep:
        return
    rows = read_rows(address, list(small), with_unknown_columns(table, "videos"))
    new = write_rows(address, rows)
    with suppress(CommitFailedError):
        replace_files(table, small, [new], rows.schema, change=False)
