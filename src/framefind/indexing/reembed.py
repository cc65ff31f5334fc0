"""Move a library over to another model."""

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from framefind.counts import write_count
from framefind.errors import LibraryError
from framefind.files.names import find_existing, native_path
from framefind.reports import Report
from framefind.tables import cues_table
from framefind.tables.address import is_local, lock, replace_library
from framefind.tables.schema import CUES
from framefind.tables.tables import Tables
from framefind.types import Video

Index = Callable[..., Report]
"""`Library.index` of the library that is being made; `retry` and `on_progress` are bound."""


def reembed(uri: str, beside: str, index: Index) -> Report:
    """Index all videos of the library at `uri` again, and put the result in its place.

    `index` fills the library at `beside`. Resumable; until the end the library is as it was. Raises
    LibraryError when videos are missing or fail, since their moments would be lost.
    """
    if not is_local(uri):
        raise LibraryError(f"{uri}: only a library on a disk can be moved to another model")
    rows = _rows_with_frames(uri)
    if not rows:
        raise LibraryError(f"{uri} holds no videos to embed again")
    present = find_existing(path for row in rows for path in row.paths)
    if missing := [row.path for row in rows if row.path not in present]:
        raise LibraryError(
            f"missing: {write_count(len(missing), 'video')}, such as {missing[0]}: bring the files "
            "back, or `framefind prune` them, and reembed again"
        )
    report = Report()
    for sampler, views in sorted({(row.sampler, row.views) for row in rows}):
        paths = [
            native_path(path)
            for row in rows
            if (row.sampler, row.views) == (sampler, views)
            for path in row.paths
            if path in present
        ]
        report = report.joined(index(paths, sampler=sampler, views=views, read="none"))
    if report.failed:
        path, reason = next(iter(report.failed.items()))
        raise LibraryError(f"nothing was changed: {path} could not be embedded again: {reason}")
    with lock(uri, doing="index --reembed"):
        embedded = {row.video_id for row in _rows_with_frames(beside)}
        lost = [row.path for row in _rows_with_frames(uri) if row.video_id not in embedded]
        if lost:  # it failed in an earlier run, or was indexed meanwhile
            raise LibraryError(
                f"nothing was changed: {lost[0]} is not embedded again: index it, then reembed"
            )
        _carry_words_over(Tables.open(uri), Tables.open(beside))
        replace_library(uri, beside)
    return report


def _carry_words_over(source: Tables, target: Tables) -> None:
    """Copy what was read of the videos, which needs no model of pictures."""
    before = {row.video_id: row for row in source.videos() if row.read}
    rows = [
        replace(
            row,
            cues=before[row.video_id].cues,
            cue_segments=before[row.video_id].cue_segments,
            read=before[row.video_id].read,
        )
        for row in target.videos()
        if row.video_id in before
    ]
    segments = {name for row in rows for name in row.cue_segments}
    cues = pa.Table.from_batches(source.read_cues(segments), CUES)
    target.publish(videos=rows, cues=cues_table.write(target.address("cues"), cues))


def _rows_with_frames(uri: str) -> list[Video]:
    """Return the rows of the videos that have frames, by path."""
    rows = [row for row in Tables.open(uri).videos() if row.segments]
    return sorted(rows, key=lambda row: row.path)
