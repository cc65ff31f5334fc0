"""The columns of a library's tables, and how tables that other engines have changed are read.

A reader fills columns that a table lacks and leaves alone columns that it does not know. A writer
first adds the columns that a table lacks, and keeps those that it does not know.

To add a column to `videos`:

1. Add it to `VIDEOS` below, and to `Video` in `types.py` a field of that name with a default, in
   the same place. Rows that lack the column are read with that default.
2. Set it in `indexing/video_row.py`, which builds the rows for every engine.
3. Add it to the list of columns in `docs/tables.md`, and if the HTTP API shows it, to `Video` in
   `server/schemas.py` and to the function that fills it; else to the list in
   `tests/tables/test_columns.py`. That test names whatever is missing.

`VERSION` stays: an older framefind leaves the column alone, and a newer one adds it with its next
commit. Raise it only when an older framefind would answer wrongly, and then keep a library of the
old version beside those in `tests/tables/libraries/`, which are read by a test.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from framefind.errors import LibraryError

if TYPE_CHECKING:
    from deltalake import DeltaTable

VERSION = 1
"""The schema version that this framefind writes, and the newest that it reads."""

_TEXTS = pa.list_(pa.string())
_MATRIX = pa.list_(pa.list_(pa.float32()))
_TIME = pa.timestamp("us", tz="UTC")  # one without a zone would need a newer protocol

VIDEOS = pa.schema(
    {
        "video_id": pa.string(),
        "path": pa.string(),
        "copies": _TEXTS,
        "size": pa.int64(),
        "modified": _TIME,
        "duration": pa.float64(),
        "width": pa.int64(),
        "height": pa.int64(),
        "fps": pa.float64(),
        "codec": pa.string(),
        "sampler": pa.string(),
        "views": pa.string(),
        "frames": pa.int64(),
        "segments": _TEXTS,
        "indexed_until": pa.float64(),
        "status": pa.string(),
        "error": pa.string(),
        "indexed_at": _TIME,
        "cues": pa.int64(),
        "cue_segments": _TEXTS,
        "read": _TEXTS,
        "cuts": pa.list_(pa.float64()),
    }
)

FRAMES = pa.schema(
    {
        "video_id": pa.string(),
        "segment": pa.string(),
        "t": pa.float64(),
        "thumbnail": pa.binary(),
        "boxes": _MATRIX,
        "embeddings": _MATRIX,
    }
)

CUES = pa.schema(
    {
        "video_id": pa.string(),
        "segment": pa.string(),
        "start": pa.float64(),
        "end": pa.float64(),
        "source": pa.string(),
        "language": pa.string(),
        "text": pa.string(),
        "box": pa.list_(pa.float32()),
    }
)

SCHEMAS = {"videos": VIDEOS, "frames": FRAMES, "cues": CUES}

_REQUIRED = {
    *("video_id", "path", "segment", "segments", "t", "boxes", "embeddings"),
    *("start", "end", "text"),
}
"""Columns that cannot be filled when a table lacks them."""

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)


def conform(rows: _Rows, schema: pa.Schema) -> _Rows:
    """Return rows that any engine has written with the columns of `schema`, cast and in its order.

    A missing column is null. Raises LibraryError when it is one that cannot be filled, and
    ArrowInvalid when a value cannot be cast.
    """
    if rows.schema.equals(schema):
        return rows
    check_columns(rows.schema.names, schema)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.schema.names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return type(rows).from_arrays(columns, schema=schema)


def check_columns(names: Sequence[str], schema: pa.Schema) -> None:
    """Raise LibraryError when a column of `schema` is missing that cannot be filled."""
    if missing := (_REQUIRED & {*schema.names}) - {*names}:
        raise LibraryError(
            f"another program has dropped the column {min(missing)}: bring back an earlier version "
            "of the table"
        )


def with_unknown_columns(table: "DeltaTable", name: str) -> pa.Schema:
    """Return the columns of a table, by its name, and then those that other programs added."""
    schema = SCHEMAS[name]
    stored = pa.schema(table.schema().to_arrow())
    return pa.schema([*schema, *(field for field in stored if field.name not in schema.names)])


def add_missing_columns(table: "DeltaTable", name: str) -> None:
    """Add the columns that the table of that name lacks, before it is written to.

    Raises LibraryError when the table has a column of another type than `SCHEMAS`.
    """
    from deltalake import Schema

    stored = {field.name: field.type for field in pa.schema(table.schema().to_arrow())}
    for field in SCHEMAS[name]:
        if field.name in stored and _kind(stored[field.name]) != _kind(field.type):
            raise LibraryError(
                f"the column {field.name} of {table.table_uri} is {stored[field.name]} and not "
                f"{field.type}: another program has changed it; bring back an earlier version of "
                "the table"
            )
    if missing := [field for field in SCHEMAS[name] if field.name not in stored]:
        table.alter.add_columns(Schema.from_arrow(pa.schema(missing)).fields)


def check_features(table: "DeltaTable", where: str) -> None:
    """Raise LibraryError for a table feature that gives data files another meaning."""
    if columns := table.metadata().partition_columns:
        raise LibraryError(
            f"{where} is partitioned by {', '.join(columns)}, which framefind cannot read: rewrite "
            "it without partitions"
        )
    features = table.protocol().reader_features or []
    if "deletionVectors" in features and any(batch.num_rows for batch in table.deletion_vectors()):
        raise LibraryError(
            f"{where} has deletion vectors, which framefind cannot read: rewrite it with "
            "`REORG TABLE … APPLY (PURGE)` in Spark"
        )
    mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mapping != "none":
        raise LibraryError(
            f"{where} has column mapping ({mapping}), which framefind cannot read: rewrite it "
            "with `delta.columnMapping.mode` = `none` in Spark"
        )


def _kind(type_: pa.DataType) -> str:
    """Return the name of a type, without the field names and the nullability inside lists."""
    return f"list<{_kind(type_.value_type)}>" if pa.types.is_nested(type_) else str(type_)
