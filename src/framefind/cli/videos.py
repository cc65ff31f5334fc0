"""`videos`, `status`, `remove`, `prune` and `maintain`: what a library holds, and its upkeep."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption
from framefind.files.names import openable

if TYPE_CHECKING:
    from framefind.library import Library

_MANY = 10
"""The most videos that are forgotten on a terminal without a question."""

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be forgotten, and forget nothing.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, and refuse nothing.")]


def videos(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEO…", help="Globs, folders or ids.")
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the videos of the library and how each fared."""
    from framefind.library import open
    from framefind.output.documents import clock

    opened = open(library)
    rows, offline = opened.videos(wanted or ()), opened.offline()
    if as_json:
        listed = [asdict(row) | {"offline": row.video_id in offline} for row in rows]
        return show.out_json({"schema": "framefind/videos/v1", "videos": listed})
    add = show.table("video", "length", "size", "frames", "status", "reason")
    for row in rows:
        size = f"{row.width}×{row.height}" if row.width else ""
        length = clock(row.duration) if row.duration is not None else ""
        hidden = offline.get(row.video_id)
        reasons = [row.error] if row.error else []
        reasons += [f"offline: {hidden.root}: {hidden.reason}"] if hidden else []
        add(row.path, length, size, str(row.frames), row.status, "; ".join(reasons))
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
    for one in facts.offline:
        show.out(f"offline  {one.root}: {one.reason}; {show.number(one.videos, 'video')} kept")
    if facts.lost:
        several = "have lost their" if facts.lost > 1 else "has lost its"
        videos = show.number(facts.lost, "video")
        show.out(f"lost     {videos} {several} frames: index them again")
    return None


def remove(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEO…", help="Globs, folders or ids.")
    ] = None,
    library: LibraryOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete what no longer counts from the disk now.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Forget videos; their files are never touched."""
    from framefind.library import open

    if not wanted and not purge:
        show.usage("name the videos to remove")
    opened = open(library)
    paths = opened.remove(wanted or (), dry_run=True)
    going = _Going(opened, paths)
    if not dry_run:
        going.agree(yes)
        opened.remove(paths, purge=purge)
    going.show("would be removed" if dry_run else "removed")


def prune(
    library: LibraryOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Also videos whose disk or folder is away now.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Forget videos whose files are gone."""
    from framefind.library import open

    opened = open(library)
    going = _Going(opened, opened.prune(offline=offline, dry_run=True))
    if not dry_run:
        going.agree(yes)
        opened.prune(offline=offline)
    going.show("would be pruned" if dry_run else "pruned")
    show.say_offline([] if offline else opened.status().offline)


class _Going:
    """Paths that are about to be forgotten, and how many videos go with them."""

    def __init__(self, library: "Library", paths: Sequence[str]) -> None:
        rows, forgotten = library.videos(), {*paths}
        self._stay = {
            path: openable([other for other in row.paths if other not in forgotten])[0]
            for row in rows
            for path in forgotten.intersection(row.paths)
            if not forgotten.issuperset(row.paths)
        }
        whole = [row for row in rows if forgotten.issuperset(row.paths)]
        self._paths, self._videos, self._of = paths, len(whole), len(rows)
        self._shown = False

    def agree(self, yes: bool) -> None:
        """Ask on a terminal before many videos go; exit where a script would forget most."""
        if yes:
            return
        if sys.stdin and sys.stdin.isatty():
            if self._videos > _MANY:
                self._print()
                of = show.number(self._of, "video")
                typer.confirm(f"Forget {self._videos} of {of}?", err=True, abort=True)
        elif self._videos > 1 and 2 * self._videos > self._of:
            show.fail(
                f"{self._videos} of {self._of} videos would be forgotten: --dry-run lists them, "
                "--yes forgets them"
            )

    def show(self, verb: str) -> None:
        """Print the paths, and how many videos that makes."""
        self._print()
        said = [f"{show.number(self._videos, 'video')} {verb}"] if self._videos else []
        if len(self._stay) == 1:
            (place,) = self._stay.values()
            said.append(f"1 path {verb}; its video stays as {place}")
        elif self._stay:
            said.append(f"{len(self._stay)} paths {verb} of videos that stay at others")
        show.say(", ".join(said) or f"0 videos {verb}")

    def _print(self) -> None:
        for path in () if self._shown else self._paths:
            show.out(path)
        self._shown = True


def restore(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="VIDEO…", help="Globs, folders or ids.")
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Bring back what was removed or pruned, without decoding; alone, list what can come back."""
    from framefind.library import open

    opened = open(library)
    if wanted:
        paths = opened.restore(wanted)
    else:
        paths = sorted(path for row in opened.restorable() for path in row.paths)
    for path in paths:
        show.out(path)
    verb = "restored" if wanted else "can be restored"
    show.say(f"{show.number(len(paths), 'path')} {verb}")


def maintain(library: LibraryOption = None) -> None:
    """Compact the tables and delete what no longer counts and is older than a week."""
    from framefind.library import open

    done = open(library).maintain()
    rewritten, dropped = show.number(done.rewritten, "data file"), show.number(done.dropped, "row")
    deleted = show.number(done.deleted, "file")
    show.say(f"{rewritten} made {done.written}, {dropped} dropped, {deleted} deleted")
