"""Upkeep of the tables: few large files, no unpublished rows, short logs, no stray files."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deltalake.exceptions import CommitFailedError

from framefind.errors import DataFileError, LibraryError
from framefind.reports import Upkeep
from framefind.tables import cues_table, data_files, history
from framefind.tables.delta_log import list_files, replace_files
from framefind.tables.lost import find_lost_frames, find_lost_words
from framefind.tables.schema import SCHEMAS, with_unknown_columns
from framefind.tables.tables import Tables

_log = logging.getLogger(__name__)

TARGET_FILE_BYTES = 128 << 20
"""Bytes of a data file of `frames` that compaction aims at; one of less than half is small."""

MIN_SMALL_FILES = 8
"""Minimum number of small files that are worth a compaction."""

MAX_CUES_FILE_BYTES = 16 << 20
"""Bytes of a data file of `cues` that compaction makes; its rows are held in memory meanwhile."""

MAX_DEAD_SHARE = 0.1
"""Maximum share of unpublished rows in a data file; one with more is rewritten."""


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    rows: int
    dead: int


def maintain(tables: Tables, retention_hours: float = 168) -> Upkeep:
    """Compact the tables, drop what is not published, write checkpoints, delete old files.

    Unpublished rows and files younger than the retention are kept, because a running writer may be
    about to publish them; so are replaced files, because a reader may be at them.
    """
    names = _appended(tables)
    parts = [compact(tables, name, retention_hours) for name in names]
    unreadable = sum(_drop_lost_files(tables, name) for name in names)
    tables.compact_videos(keep=1)
    return Upkeep(
        rewritten=sum(part.rewritten for part in parts),
        written=sum(part.written for part in parts),
        dropped=sum(part.dropped for part in parts),
        deleted=sum(_vacuum(tables, name, retention_hours) for name in ("videos", *names)),
        unreadable=unreadable,
    )


def _appended(tables: Tables) -> list[str]:
    """Return the names of the tables that are appended to; an older library has no `cues`."""
    has_cues = cues_table.exists(tables.address("cues"))
    return ["frames", "cues"] if has_cues else ["frames"]


def purge(tables: Tables) -> Upkeep:
    """Remove all unpublished rows at once, and every file that is no longer needed.

    Only under the exclusive `lock`: what a running writer has not published yet goes too.
    """
    return maintain(tables, retention_hours=0)


def tidy(tables: Tables) -> None:
    """Compact the tables where there are many small files; for the end of every run.

    Opens no data file unless the log lists many small ones.
    """
    for name in _appended(tables):
        sizes = [action["size_bytes"] for action in list_files(tables.delta(name))]
        if sum(size < _target(name) // 2 for size in sizes) >= MIN_SMALL_FILES:
            compact(tables, name)
    tables.compact_videos()


def compact(tables: Tables, name: str, retention_hours: float = 168) -> Upkeep:
    """Merge small data files of `frames` or `cues`; drop unpublished rows beyond the retention."""
    videos = tables.videos()
    videos += [video for video, _ in history.forgotten_videos(tables, retention_hours)]
    published = {
        segment
        for video in videos
        for segment in (video.segments if name == "frames" else video.cue_segments)
    }
    done = Upkeep()
    for group in _groups(_candidates(tables, name, published, retention_hours), _target(name)):
        try:
            new = _rewrite(tables, name, group, published)
        except DataFileError as error:
            _log.warning("%s", error)
            continue
        if new is not None:
            dropped = sum(file.dead for file in group)
            done = Upkeep(
                done.rewritten + len(group), done.written + len(new), done.dropped + dropped
            )
    return done


def _target(name: str) -> int:
    """Return the bytes of a data file of a table that compaction aims at."""
    return TARGET_FILE_BYTES if name == "frames" else MAX_CUES_FILE_BYTES


def _candidates(
    tables: Tables, name: str, published: set[str], retention_hours: float
) -> Iterator[_File]:
    """Yield the data files that are small or hold too many unpublished rows, oldest first."""
    old = (time.time() - 3600 * retention_hours) * 1000
    waste = MAX_DEAD_SHARE if retention_hours else 0.0
    live = sorted(list_files(tables.delta(name)), key=lambda a: str(a.get("min.segment")))
    for action in live:
        try:
            segments = tables.read_segments(action["path"], name)
        except LibraryError as error:
            _log.warning("%s", error)
            continue
        rows = sum(segments.values())
        dead = sum(n for segment, n in segments.items() if segment not in published)
        if dead and action["modification_time"] > old:
            continue  # a running writer may be about to publish it
        if dead > waste * rows or action["size_bytes"] < _target(name) // 2:
            yield _File(action["path"], action["size_bytes"], rows, dead)


def _groups(candidates: Iterator[_File], target: int) -> Iterator[list[_File]]:
    """Yield runs of candidates that become one file each, where that is worth the work.

    `target` is the size in bytes of a file.

    Only neighbours are merged, so that the segments of a file stay close together (see
    `new_segment`).
    """
    groups: list[list[_File]] = []
    for file in candidates:
        if not groups or sum(f.size for f in groups[-1]) + file.size > target:
            groups.append([])
        groups[-1].append(file)
    for group in groups:
        full = len(group) > 1 and sum(file.size for file in group) > 0.75 * target
        if full or len(group) >= MIN_SMALL_FILES or any(file.dead for file in group):
            yield group


def _rewrite(
    tables: Tables, name: str, group: Sequence[_File], published: set[str]
) -> list[data_files.DataFile] | None:
    """Replace data files by one with their published rows; None when another run did so before.

    Each attempt checks that all files are still in the log, and fails when another commit comes in
    between. The next vacuum deletes a file that was written for nothing.
    """
    paths = [file.path for file in group]
    with tables.writing():
        schema = with_unknown_columns(tables.delta(name), name)
        merge = data_files.merge if name == "frames" else cues_table.merge
        new = merge(tables.address(name), paths, published, schema)
    sizes = {file.path: file.size for file in group}
    change = any(file.dead for file in group)

    def commit() -> list[data_files.DataFile] | None:
        table = tables.delta(name)
        if not {action["path"] for action in list_files(table)}.issuperset(paths):
            return None
        replace_files(table, sizes, new, SCHEMAS[name], change)
        return new

    return tables.commit(commit)


def _drop_lost_files(tables: Tables, name: str) -> int:
    """Remove missing or damaged data files of a table from the log when no video needs them.

    Returns how many data files cannot be read and are kept.
    """
    find_lost = find_lost_frames if name == "frames" else find_lost_words
    lost = {}
    refused = 0
    for action in list_files(tables.delta(name)):
        try:
            tables.read_segments(action["path"], name)
        except DataFileError:
            lost[action["path"]] = action["size_bytes"]
        except LibraryError:  # it cannot be read now
            refused += 1
    if refused or not lost or find_lost(tables, tables.videos()):
        return refused + len(lost)
    with tables.writing(), suppress(CommitFailedError):
        replace_files(tables.delta(name), lost, [], SCHEMAS[name], change=True)
    return 0


def _vacuum(tables: Tables, name: str, retention_hours: float) -> int:
    with tables.writing():
        table = tables.delta(name)
        table.create_checkpoint()
        deleted = table.vacuum(
            int(retention_hours), dry_run=False, enforce_retention_duration=False, full=True
        )
    return len(deleted)
