"""Forgetting: what `remove` and `prune` take out of a library. Files are never touched."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from framefind.errors import LibraryError, UsageError
from framefind.files.presence import Absent, Presence
from framefind.search.filters import VideoNames
from framefind.tables.address import lock
from framefind.tables.history import forgotten_videos
from framefind.tables.rows import Video
from framefind.tables.tables import Tables

if TYPE_CHECKING:
    from framefind.library import Library


@contextmanager
def changing(uri: str, doing: str, exclusive: bool = False) -> Iterator[Tables]:
    """Give the tables of a library that is there, with this process as one of their writers."""
    tables = Tables.open(uri)
    with lock(uri, exclusive, doing) as held:
        if exclusive and not held:
            raise LibraryError(
                f"{uri} cannot be purged: where it lies nothing tells whether others are "
                "writing; leave --purge out, and `framefind maintain` deletes it after a week"
            )
        yield tables


def presence(library: "Library", rows: Iterable[Video]) -> Presence:
    """Return what can be told of the files of a library that has these videos."""
    memory = library.vector_index.folder / "roots.json"
    return Presence(memory, {path for row in rows for path in row.paths})


def absent(library: "Library", rows: Sequence[Video]) -> Absent:
    """Return what is not there of the videos' files on disks; stores are not asked."""
    paths = (path for row in rows for path in row.paths)
    return presence(library, rows).find_absent(paths, stores=False)


def remove(library: "Library", patterns: Sequence[str], purge: bool, dry_run: bool) -> list[str]:
    """See `Library.remove`."""
    if dry_run:
        return _listed(_match(library.videos(), patterns))
    from framefind.tables import maintenance

    with changing(library.uri, "remove", exclusive=purge) as tables:
        rows = tables.videos()
        paths = _match(rows, patterns)
        _forget(tables, rows, paths)
        if purge:
            maintenance.purge(tables)
    return _listed(paths)


def prune(library: "Library", offline: bool, dry_run: bool) -> list[str]:
    """See `Library.prune`."""
    if dry_run:
        return _listed(_lost(library, library.videos(), offline))
    with changing(library.uri, "prune") as tables:
        rows = tables.videos()
        paths = _lost(library, rows, offline)
        _forget(tables, rows, paths)
    return _listed(paths)


def find_restorable(tables: Tables) -> list[Video]:
    """Return what was forgotten and is still stored: videos, each with only its forgotten paths."""
    taken = {path for row in tables.videos() for path in row.paths}
    found: dict[str, Video] = {}
    for row, paths in forgotten_videos(tables):
        newest = found.get(row.video_id)
        known = newest.paths if newest else []
        free = known + [path for path in paths if path not in taken and path not in known]
        if free:
            found[row.video_id] = replace(newest or row, path=free[0], copies=free[1:])
    wanted = {segment for row in found.values() for segment in row.segments}
    stored = {segment for file in tables.frame_files() for segment in tables.read_segments(file)}
    lost = wanted - stored if wanted else set()
    return [row for row in found.values() if lost.isdisjoint(row.segments)]


def restore(library: "Library", patterns: Sequence[str]) -> list[str]:
    """See `Library.restore`."""
    with changing(library.uri, "restore") as tables:
        found = find_restorable(tables)
        names, by_id = VideoNames(found), {row.video_id: row for row in found}
        paths: dict[str, list[str]] = {}
        for pattern in patterns:
            matched = names.match(pattern)
            if not matched:
                raise UsageError(
                    f"{pattern}: nothing of that name can be restored: it is in the library, or "
                    "what was stored of it is deleted (`maintain` does so after a week); index it"
                )
            for video_id, own in matched.items():
                paths[video_id] = sorted({*paths.get(video_id, ()), *own})
        now = {row.video_id: row for row in tables.videos()}
        rows = []
        for video_id, own in paths.items():
            row = now.get(video_id)
            all_paths = [*(row.paths if row else ()), *own]
            row = row or by_id[video_id]
            rows.append(replace(row, path=all_paths[0], copies=all_paths[1:]))
        tables.publish(videos=rows)
    return _listed(paths)


def _lost(library: "Library", rows: Sequence[Video], offline: bool) -> dict[str, list[str]]:
    """The paths of the videos whose files are gone, or offline where that counts as well."""
    absent = presence(library, rows).find_absent(path for row in rows for path in row.paths)
    return {
        row.video_id: row.paths
        for row in rows
        if absent.has_lost(row) or (offline and absent.hides(row))
    }


def _match(rows: Iterable[Video], patterns: Iterable[str]) -> dict[str, list[str]]:
    """The paths that the patterns stand for, by `video_id`.

    Raises UsageError for a pattern that stands for none: half of what was meant is not forgotten.
    """
    names = VideoNames(rows)
    matched: dict[str, list[str]] = {}
    for pattern in patterns:
        found = names.match(pattern)
        if not found:
            raise UsageError(f"{pattern}: no video of the library matches; nothing was removed")
        for video_id, paths in found.items():
            matched[video_id] = sorted({*matched.get(video_id, ()), *paths})
    return matched


def _forget(tables: Tables, rows: Iterable[Video], paths: Mapping[str, Collection[str]]) -> None:
    """Forget paths, given by `video_id`; a video goes when its last path goes."""
    changed, removed = [], []
    for row in rows:
        left = [path for path in row.paths if path not in paths.get(row.video_id, ())]
        if not left:
            removed.append(row.video_id)
        elif len(left) < len(row.paths):
            changed.append(replace(row, path=left[0], copies=left[1:]))
    if changed or removed:
        tables.publish(videos=changed, removed=removed, forgets=True)


def _listed(paths: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted(path for own in paths.values() for path in own)
