"""What `remove` and `prune` ask before they forget videos, and print afterwards."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from framefind.cli import show
from framefind.counts import write_count

if TYPE_CHECKING:
    from framefind.library import Library

MAX_UNASKED_VIDEOS = 10
"""The most videos that are forgotten on a terminal without a question."""

YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Forget many videos without being asked.")
]


class Forgetting:
    """Paths that are about to be forgotten, and how many videos go with them."""

    def __init__(self, library: "Library", paths: Sequence[str]) -> None:
        """Find the videos that go with their last path, and where the others stay."""
        from framefind.files.names import readable_first

        rows = library.videos()
        forgotten = {*paths}
        self._paths = paths
        self._library_videos = len(rows)
        self._videos = sum(forgotten.issuperset(row.paths) for row in rows)
        self._kept_places = {
            path: readable_first([place for place in row.paths if place not in forgotten])[0]
            for row in rows
            for path in forgotten.intersection(row.paths)
            if not forgotten.issuperset(row.paths)
        }
        self._are_paths_printed = False

    def confirm(self, yes: bool) -> None:
        """Ask on a terminal before many videos go; exit where a script would forget most."""
        if yes:
            return
        if sys.stdin and sys.stdin.isatty():
            if self._videos > MAX_UNASKED_VIDEOS:
                self._print_paths()
                total = write_count(self._library_videos, "video")
                typer.confirm(f"Forget {self._videos} of {total}?", err=True, abort=True)
        elif self._videos > 1 and 2 * self._videos > self._library_videos:
            show.fail(
                f"{self._videos} of {self._library_videos} videos would be forgotten: --dry-run "
                "lists them, --yes forgets them"
            )

    def print(self, verb: str) -> None:
        """Print the paths, and say how many videos that makes; `verb` as in "1 video removed"."""
        self._print_paths()
        counts = [f"{write_count(self._videos, 'video')} {verb}"] if self._videos else []
        if len(self._kept_places) == 1:
            (place,) = self._kept_places.values()
            counts.append(f"1 path {verb}; its video stays as {place}")
        elif self._kept_places:
            counts.append(f"{len(self._kept_places)} paths {verb} of videos that stay at others")
        show.print_note(", ".join(counts) or f"0 videos {verb}")

    def _print_paths(self) -> None:
        if not self._are_paths_printed:
            for path in self._paths:
                show.print_line(path)
        self._are_paths_printed = True
