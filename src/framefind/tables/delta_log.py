"""Delta Lake's log: opening tables, listing and replacing data files, and telling states apart.

deltalake and pyarrow are imported where they are used.
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind.errors import LibraryError
from framefind.processes import check_memory
from framefind.tables.address import as_library_error, as_unreadable, is_local, storage_options

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction

    from framefind.tables.data_files import DataFile

Revision = tuple[str, str]
"""A key of the content of `videos` and of `frames`: it changes whenever the content does.

It holds each table's version and a digest of the log entry of that version. Entries name random
files, so two copies of one library, which share their table ids, differ after the next commit.
"""

_ENTRY = re.compile(r"(\d{20})\.(?:json|checkpoint\..+)")


def latest_entry(log: Path) -> tuple[int, Path] | None:
    """Return the newest version in a local log, and its entry's file; None without a log."""
    try:
        names = [entry.name for entry in os.scandir(log)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise as_unreadable(error) from error
    entries = [(int(match[1]), name) for name in names if (match := _ENTRY.fullmatch(name))]
    if not entries:
        return None
    version, name = max(entries, key=lambda entry: (entry[0], entry[1].endswith(".json")))
    return version, log / name


def open_table(address: str) -> "DeltaTable":
    """Open the newest version of a table.

    Raises LibraryError for table features that framefind cannot read, and for a missing or damaged
    entry of a local log, naming its file; otherwise what delta-rs raises.
    """
    check_memory()
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    from framefind.tables.schema import check_features

    log = Path(address, "_delta_log") if is_local(address) else None
    if log:
        _check_log(log)
    try:
        table = DeltaTable(address, storage_options=storage_options(address))
    except TableNotFoundError:
        raise
    except DeltaError:
        if log:
            _check_log(log, parse=True)
        raise
    check_features(table, address)
    return table


def _check_log(log: Path, parse: bool = False) -> None:
    """Raise LibraryError when an entry is missing, empty or, checked with `parse`, damaged.

    A power cut may leave empty entries, which delta-rs silently skips.
    """
    names = [entry.name for entry in os.scandir(log)]
    entries = {name: int(match[1]) for name in names if (match := _ENTRY.fullmatch(name))}
    checkpoint = max((at for name, at in entries.items() if not name.endswith(".json")), default=-1)
    for at in range(checkpoint + 1, max(entries.values(), default=-1) + 1):
        path = log / f"{at:020}.json"
        if path.name not in entries:
            trouble = "missing"
        elif not path.stat().st_size:
            trouble = "empty"
        elif parse and not _is_json(path):
            trouble = "damaged"
        else:
            continue
        raise LibraryError(
            f"cannot read {path}, which is {trouble}: bring the library back from a "
            "backup; if that file is the newest there, it is enough to delete it and to index again"
        )


def _is_json(path: Path) -> bool:
    """Return whether each line of a file is JSON."""
    try:
        for line in path.read_bytes().splitlines():
            json.loads(line)
    except ValueError:
        return False
    return True


def latest_versions(uri: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the newest versions of `videos` and `frames` by listing two folders.

    Raises LibraryError when there is no local library at `uri`.
    """
    (videos, _), (frames, _) = _latest_entries(uri)
    return videos, frames


def latest_revision(uri: str | os.PathLike[str]) -> Revision:
    """Return the revision of a local library by listing two folders and reading two small files.

    Raises LibraryError when there is no library, or its log cannot be read.
    """
    with as_library_error(f"cannot read the library {os.fspath(uri)}"):
        videos, frames = (
            digest_entry(version, path.read_bytes()) for version, path in _latest_entries(uri)
        )
    return videos, frames


def _latest_entries(uri: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """Return the versions and files of the newest log entries of `videos` and `frames`."""
    entries = [latest_entry(Path(uri, name, "_delta_log")) for name in ("videos", "frames")]
    existing = [entry for entry in entries if entry is not None]
    if len(existing) < len(entries):
        raise missing_library(os.fspath(uri))
    return existing


def missing_library(uri: str) -> LibraryError:
    """Return the error for a place without a library."""
    return LibraryError(f"{uri} is not a framefind library; `framefind index` makes one")


def digest_entry(version: int, entry: bytes) -> str:
    """Return one table's part of a Revision: its version and a digest of its newest log entry."""
    return f"{version}-{blake2b(entry, digest_size=16).hexdigest()}"


def add_actions(files: "Sequence[DataFile]", change: bool = True) -> "list[AddAction]":
    """Return the log entries that add data files; `change` is False when their rows are old."""
    from deltalake.transaction import AddAction

    now = time.time_ns() // 1_000_000
    return [AddAction(f.path, f.size, {}, now, change, f.statistics()) for f in files]


def replace_files(
    table: "DeltaTable",
    old: Mapping[str, int],
    new: "Sequence[DataFile]",
    schema: "pa.Schema",
    change: bool,
) -> None:
    """Replace data files in one commit; `old` has their sizes in bytes by path.

    `change` says whether rows go with them. Raises CommitFailedError when another commit has been
    made since the version of `table`: delta-rs would accept the removal of a file that is removed
    already, which would double its rows, in the other's new file and in ours.
    """
    from deltalake import CommitProperties
    from deltalake.transaction import RemoveAction

    now = time.time_ns() // 1_000_000
    removes = [RemoveAction(path, change, now, size, {}) for path, size in old.items()]
    table.create_write_transaction(
        [*add_actions(new, change), *removes],
        "append",
        schema,
        commit_properties=CommitProperties(max_commit_retries=0),
    )


def list_files(table: "DeltaTable") -> list[dict[str, Any]]:
    """Return the data files of a table as its log lists them: path, size_bytes, statistics, …"""
    import pyarrow as pa

    rows: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return rows
