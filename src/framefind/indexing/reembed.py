"""Move a library over to another model."""

from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import LibraryError
from framefind.files.names import find_existing, native_path
from framefind.tables.address import is_local, lock, replace_library

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.types import OnProgress, Report


def reembed(library: "Library", beside: "Library", on_progress: "OnProgress | None") -> "Report":
    """Index all videos of a library in the one beside it, which then takes its place.

    Resumable; until the end the library is as it was. Raises LibraryError when videos are missing
    or fail, since their moments would be lost.
    """
    if not is_local(library.uri):
        raise LibraryError(f"{library.uri}: only a library on a disk can be moved to another model")
    rows = [row for row in library.videos() if row.segments]
    left = find_existing(path for row in rows for path in (row.path, *row.copies))
    if missing := [row.path for row in rows if row.path not in left]:
        raise LibraryError(
            f"missing: {write_count(len(missing), 'video')}, such as {missing[0]}: bring the files "
            "back, or `framefind prune` them, and reembed again"
        )
    kinds = sorted({(row.sampler, row.views) for row in rows})
    report = None
    for sampler, views in kinds:
        paths = [
            native_path(path)
            for row in rows
            if (row.sampler, row.views) == (sampler, views)
            for path in (row.path, *row.copies)
            if path in left
        ]
        run = beside.index(
            paths,
            sampler=sampler,
            views=views,
            retry=True,
            on_progress=on_progress,
        )
        report = run if report is None else report.joined(run)
    if report is None:
        raise LibraryError(f"{library.uri} holds no videos to embed again")
    if report.failed:
        path, reason = next(iter(report.failed.items()))
        raise LibraryError(f"nothing was changed: {path} could not be embedded again: {reason}")
    with lock(library.uri, doing="index --reembed"):
        again = {row.video_id for row in beside.videos() if row.segments}
        lost = [row.path for row in library.videos() if row.segments and row.video_id not in again]
        if lost:  # it failed in an earlier run, or was indexed meanwhile
            raise LibraryError(
                f"nothing was changed: {lost[0]} is not embedded again: index it, then reembed"
            )
        replace_library(library.uri, beside.uri)
    return report
