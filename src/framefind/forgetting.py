"""Forgetting: what `remove` and `prune` take out of a library. Files are never touched."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from framefind.errors import LibraryError, UsageError
from framefind.filters import VideoNames
from framefind.presence import Presence
from framefind.tables import Tables, Video
from framefind.tables.store import lock

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


def remove(library: "Library", patterns: Sequence[str], purge: bool, dry_run: bool) -> list[str]:
    """See `Library.remove`."""
    if dry_run:
        return _listed(_match(library.videos(), patterns))
    with changing(library.uri, "remove", exclusive=purge) as tables:
        rows = tables.videos()
        paths = _match(rows, patterns)
        _forget(tables, rows, paths)
        if purge:
            tables.purge()
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
        tables.publish(videos=changed, removed=removed)


def _listed(paths: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted(path for own in paths.values() for path in own)
