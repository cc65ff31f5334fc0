"""Forget videos (`remove`, `prune`) and bring them back (`restore`). Files are never touched."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from framefind.arguments import choices
from framefind.errors import LibraryError, UsageError
from framefind.files.presence import Absent, Presence
from framefind.reports import Offline
from framefind.search.filters import VideoNames
from framefind.tables.address import lock
from framefind.tables.history import forgotten_videos
from framefind.tables.rows import segment_source
from framefind.tables.tables import Tables
from framefind.types import CUE_SOURCES, Video


@contextmanager
def changing(uri: str, doing: str, exclusive: bool = False) -> Iterator[Tables]:
    """Open the tables of an existing library, and hold its lock as a writer meanwhile."""
    tables = Tables.open(uri)
    with lock(uri, exclusive, doing) as is_held:
        if exclusive and not is_held:
            raise LibraryError(
                f"{uri} cannot be purged: nothing shows there whether others are "
                "writing; leave `purge` out, and `maintain()` deletes it after a week"
            )
        yield tables


def find_absent(index_folder: Path, rows: Sequence[Video], stores: bool = False) -> Absent:
    """Return what is not there of the videos' files; object stores are asked only with `stores`.

    `index_folder` is where the library's index remembers on which devices its roots lay.
    """
    paths = [path for row in rows for path in row.paths]
    presence = Presence(index_folder / "roots.json", set(paths))
    return presence.find_absent(paths, stores=stores)


def find_offline(index_folder: Path, rows: Sequence[Video]) -> dict[str, Offline]:
    """Return the videos whose files cannot be looked at, by `video_id`, with the reason."""
    absent = find_absent(index_folder, rows)
    return {row.video_id: hidden for row in rows if (hidden := absent.hides(row))}


def remove(
    uri: str, patterns: Sequence[str], words: str | Iterable[str], purge: bool, dry_run: bool
) -> list[str]:
    """Forget the paths that the patterns name: see `Library.remove`."""
    sources = choices(words, "words", CUE_SOURCES)
    if dry_run:
        return _listed(_match(Tables.open(uri).videos(), patterns))
    from framefind.tables import maintenance

    with changing(uri, "remove", exclusive=purge) as tables:
        rows = tables.videos()
        paths = _match(rows, patterns)
        if sources:
            _forget_words(tables, (row for row in rows if row.video_id in paths), sources)
        else:
            _forget(tables, rows, paths)
        if purge:
            maintenance.purge(tables)
    return _listed(paths)


def prune(uri: str, index_folder: Path, offline: bool, dry_run: bool) -> list[str]:
    """Forget the videos whose files are gone: see `Library.prune`."""
    if dry_run:
        return _listed(_gone(index_folder, Tables.open(uri).videos(), offline))
    with changing(uri, "prune") as tables:
        rows = tables.videos()
        paths = _gone(index_folder, rows, offline)
        _forget(tables, rows, paths)
    return _listed(paths)


def find_restorable(tables: Tables) -> list[Video]:
    """Return the forgotten videos that are still stored, each with its forgotten paths alone."""
    present = {path for row in tables.videos() for path in row.paths}
    restorable: dict[str, Video] = {}
    for row, paths in forgotten_videos(tables):
        newest = restorable.get(row.video_id)
        forgotten = newest.paths if newest else []
        free = forgotten + [path for path in paths if path not in present and path not in forgotten]
        if free:
            restorable[row.video_id] = replace(newest or row, path=free[0], copies=free[1:])
    needed = {segment for row in restorable.values() for segment in row.segments}
    stored = {segment for file in tables.frame_files() for segment in tables.read_segments(file)}
    lost = needed - stored if needed else set()
    return [row for row in restorable.values() if lost.isdisjoint(row.segments)]


def restore(uri: str, patterns: Sequence[str], dry_run: bool = False) -> list[str]:
    """Bring back what was forgotten: see `Library.restore`."""
    with changing(uri, "restore") as tables:
        restorable = find_restorable(tables)
        names = VideoNames(restorable)
        by_id = {row.video_id: row for row in restorable}
        paths: dict[str, list[str]] = {}
        for pattern in patterns:
            matched = names.match(pattern)
            if not matched:
                raise UsageError(
                    f"{pattern}: nothing of that name can be restored: it is in the library, or "
                    "what was stored of it is deleted (`maintain()` does so after a week); index it"
                )
            for video_id, forgotten in matched.items():
                paths[video_id] = sorted({*paths.get(video_id, ()), *forgotten})
        if dry_run:
            return _listed(paths)
        now = {row.video_id: row for row in tables.videos()}
        rows = []
        for video_id, forgotten in paths.items():
            row = now.get(video_id)
            all_paths = [*(row.paths if row else ()), *forgotten]
            row = row or by_id[video_id]
            rows.append(replace(row, path=all_paths[0], copies=all_paths[1:]))
        tables.publish(videos=rows)
    return _listed(paths)


def _gone(index_folder: Path, rows: Sequence[Video], offline: bool) -> dict[str, list[str]]:
    """Return the paths of videos whose files are gone, or offline where that counts as well."""
    absent = find_absent(index_folder, rows, stores=True)
    return {
        row.video_id: row.paths
        for row in rows
        if absent.has_lost(row) or (offline and absent.hides(row))
    }


def _match(rows: Iterable[Video], patterns: Iterable[str]) -> dict[str, list[str]]:
    """Return the paths that the patterns stand for, by `video_id`.

    Raises UsageError for a pattern that stands for none, such as a misspelt one: then nothing is
    forgotten, not even what the others stand for.
    """
    names = VideoNames(rows)
    matched: dict[str, list[str]] = {}
    for pattern in patterns:
        by_id = names.match(pattern)
        if not by_id:
            raise UsageError(f"{pattern}: no video of the library matches; nothing was removed")
        for video_id, paths in by_id.items():
            matched[video_id] = sorted({*matched.get(video_id, ()), *paths})
    return matched


def _forget(tables: Tables, rows: Iterable[Video], paths: Mapping[str, Collection[str]]) -> None:
    """Forget paths, given by `video_id`; a video goes when its last path goes."""
    changed = []
    removed = []
    for row in rows:
        remaining = [path for path in row.paths if path not in paths.get(row.video_id, ())]
        if not remaining:
            removed.append(row.video_id)
        elif len(remaining) < len(row.paths):
            changed.append(replace(row, path=remaining[0], copies=remaining[1:]))
    if changed or removed:
        tables.publish(videos=changed, removed=removed, forgets=True)


def _forget_words(tables: Tables, rows: Iterable[Video], sources: Collection[str]) -> None:
    """Forget what was read of some sources in some videos."""
    counts = tables.count_cues()
    changed = []
    for row in rows:
        segments = [name for name in row.cue_segments if segment_source(name) not in sources]
        read = [name for name in row.read if re.split("[/@]", name)[0] not in sources]
        if (segments, read) != (row.cue_segments, row.read):
            cues = sum(counts.get(name, 0) for name in segments)
            changed.append(replace(row, cues=cues, cue_segments=segments, read=read))
    if changed:
        tables.publish(videos=changed)


def _listed(paths: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted(path for video_paths in paths.values() for path in video_paths)
