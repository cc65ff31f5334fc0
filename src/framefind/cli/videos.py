"""`videos`, `status`, `remove`, `prune` and `maintain`: what a library holds, and its upkeep."""

from dataclasses import asdict
from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption


def videos(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEO…", help="Globs, folders or ids.")
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the videos of the library and how each fared."""
    from framefind.export import clock
    from framefind.library import open

    rows = open(library).videos(wanted or ())
    if as_json:
        listed = [asdict(row) for row in rows]
        return show.out_json({"schema": "framefind/videos/v1", "videos": listed})
    add = show.table("video", "length", "size", "frames", "status", "reason")
    for row in rows:
        size = f"{row.width}×{row.height}" if row.width else ""
        length = clock(row.duration) if row.duration is not None else ""
        add(row.path, length, size, str(row.frames), row.status, row.error or "")
    add()
    return None


def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """The library in numbers."""
    from framefind.library import open

    facts = open(library).status()
    if as_json:
        return show.out_json({"schema": "framefind/status/v1", **asdict(facts)})
    counts = ", ".join(f"{count} {status}" for status, count in facts.videos.items()) or "none"
    show.out(f"library  {facts.library}")
    show.out(f"model    {facts.model}")
    show.out(f"videos   {counts}")
    show.out(f"frames   {facts.frames} of {facts.hours:.2f} hours")
    show.out(f"disk     {facts.size / 1e6:.1f} MB")
    show.out(f"index    {'up to date' if facts.index_fresh else 'refreshed by the next search'}")
    return None


def remove(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEO…", help="Globs, folders or ids.")
    ] = None,
    library: LibraryOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete what no longer counts from the disk now.")
    ] = False,
) -> None:
    """Forget videos; their files are never touched."""
    from framefind.library import open

    if not wanted and not purge:
        show.usage("name the videos to remove")
    show.print_paths(open(library).remove(wanted or [], purge=purge), "removed")


def prune(library: LibraryOption = None) -> None:
    """Forget videos whose files are gone."""
    from framefind.library import open

    show.print_paths(open(library).prune(), "pruned")


def maintain(library: LibraryOption = None) -> None:
    """Compact the tables and delete what no longer counts and is older than a week."""
    from framefind.library import open

    done = open(library).maintain()
    show.say(
        f"{done.rewritten} data files made {done.written}, {done.dropped} rows dropped, "
        f"{done.deleted} files deleted"
    )
