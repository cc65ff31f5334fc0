"""Data files as entries of Delta Lake's log."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction

    from framefind.tables.files import DataFile


def adds(files: "Sequence[DataFile]", change: bool = True) -> "list[AddAction]":
    """The log entries of data files."""
    from deltalake.transaction import AddAction

    now = time.time_ns() // 1_000_000
    return [AddAction(f.path, f.size, {}, now, change, f.statistics()) for f in files]


def actions(table: "DeltaTable") -> list[dict[str, Any]]:
    """The data files of a table as its log has them: path, size_bytes, statistics, …"""
    import pyarrow as pa

    rows: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return rows
