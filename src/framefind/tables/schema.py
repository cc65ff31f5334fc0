"""The columns of a library's tables, and how tables that other engines have changed are read.

A reader fills columns that a table lacks and leaves alone columns that it does not know. A writer
first adds the columns that a table lacks, and carries along those that it does not know.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from framefind.errors import LibraryError

if TYPE_CHECKING:
    from deltalake import DeltaTable

VERSION = 1
"""The version of the tables' columns that this framefind writes, and the newest it reads."""

_TEXTS = pa.list_(pa.string())
_MATRIX = pa.list_(pa.list_(pa.float32()))
_TIME = pa.timestamp("us", tz="UTC")  # without a zone, the protocol would have to be newer

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

SCHEMAS = {"videos": VIDEOS, "frames": FRAMES}

_REQUIRED = {"video_id", "path", "segment", "segments", "t", "boxes", "embeddings"}
"""Columns that nothing can stand in for."""

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)


def conform(rows: _Rows, schema: pa.Schema) -> _Rows:
    """Return rows of any engine with the columns of `schema`, in their types and order.

    What is missing is null. Raises LibraryError without a column that nothing can stand in for,
    and ArrowInvalid for values of another kind.
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
    """Raise LibraryError when a column of `schema` is not there that nothing can stand in for."""
    if missing := (_REQUIRED & {*schema.names}) - {*names}:
        raise LibraryError(
            f"another program has dropped the column {min(missing)}: bring back an earlier version "
            "of the table"
        )


def with_unknown_columns(table: "DeltaTable", name: str) -> pa.Schema:
    """Return the columns of a table of a library, `videos` or `frames`, and what others added."""
    schema = SCHEMAS[name]
    there = pa.schema(table.schema().to_arrow())
    return pa.schema([*schema, *(field for field in there if field.name not in schema.names)])


def complete(table: "DeltaTable", name: str) -> None:
    """Add the columns that a table lacks, before it is written to.

    Raises LibraryError when a column is of another type than ours.
    """
    from deltalake import Schema

    there = {field.name: field.type for field in pa.schema(table.schema().to_arrow())}
    for field in SCHEMAS[name]:
        if field.name in there and _kind(there[field.name]) != _kind(field.type):
            raise LibraryError(
                f"the column {field.name} of {table.table_uri} is {there[field.name]} and not "
                f"{field.type}: another program has changed it; bring back an earlier version of "
                "the table"
            )
    if missing := [field for field in SCHEMAS[name] if field.name not in there]:
        table.alter.add_columns(Schema.from_arrow(pa.schema(missing)).fields)


def check_features(table: "DeltaTable", where: str) -> None:
    """Raise LibraryError when data files say something else than what a table holds."""
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


def _kind(of: pa.DataType) -> str:
    """Return a type without the names and the nullability of what lists hold."""
    return f"list<{_kind(of.value_type)}>" if pa.types.is_nested(of) else str(of)
