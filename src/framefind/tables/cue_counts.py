"""How many cues each segment has, without reading again what has just been read and stays."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyarrow.fs import FileSelector, FileSystem

from framefind.errors import DataFileError
from framefind.files import disk
from framefind.tables import data_files
from framefind.tables.address import filesystem
from framefind.tables.cues_table import find_files
from framefind.tables.schema import CUES

MAX_TRUST_SECONDS = 3600.0
"""How long a data file is taken for whole: a bit may flip and leave its size and time alone."""

Stamp = tuple[int, int]
"""Size in bytes and modified time in nanoseconds of a data file."""


@dataclass(frozen=True)
class _Count:
    """The number of cues by segment of a data file that was read whole at `time`, Unix seconds."""

    size: int
    modified: int
    time: float
    cues: dict[str, int]

    def holds(self, stamp: Stamp | None, now: float) -> bool:
        """Return whether the file needs not be read again."""
        fresh = 0 <= now - self.time < MAX_TRUST_SECONDS
        return fresh and (self.size, self.modified) == stamp


def count_cues(address: str, memory: Path | None = None) -> dict[str, int]:
    """Return the number of cues by segment of the table `cues`, without those that are lost.

    Damage shows only where a data file is read whole. `memory` is a file, a cache that may be lost:
    with it, data files that are as they were within `MAX_TRUST_SECONDS` are not read again.
    """
    store = filesystem(address)
    remembered = _load(memory) if memory else {}
    stamps = dict(_list_stamps(store)) if memory else {}
    now = time.time()
    counts = {}
    for action in find_files(address):
        path = str(action["path"])
        if path in remembered and remembered[path].holds(stamps.get(path), now):
            counts[path] = remembered[path]
        else:
            with suppress(DataFileError):
                cues = _read_counts(store, path)
                counts[path] = _Count(*stamps.get(path, (0, 0)), now, cues)
    if memory and counts != remembered:
        _save(memory, counts)
    total: Counter[str] = Counter()
    for count in counts.values():
        total.update(count.cues)
    return dict(total)


def _read_counts(store: FileSystem, path: str) -> dict[str, int]:
    """Return the number of cues by segment of a data file, which is read whole."""
    column = data_files.read(store, path, CUES)["segment"].drop_null()
    return {count["values"]: count["counts"] for count in column.value_counts().to_pylist()}


def _list_stamps(store: FileSystem) -> Iterator[tuple[str, Stamp]]:
    """Yield the files at the root of a store, each with its stamp."""
    for info in store.get_file_info(FileSelector("", allow_not_found=True)):
        if info.size is not None and info.mtime_ns is not None:
            yield info.path, (info.size, info.mtime_ns)


def _load(memory: Path) -> dict[str, _Count]:
    try:
        content = json.loads(memory.read_text("utf-8"))
        return {path: _Count(**count) for path, count in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _save(memory: Path, counts: Mapping[str, _Count]) -> None:
    content = {path: vars(count) for path, count in counts.items()}
    with suppress(OSError):
        disk.replace(memory, json.dumps(content).encode())
