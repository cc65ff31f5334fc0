"""`framefind remove`: forget videos."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from framefind.cli import show
from framefind.cli.confirm import Forgetting, YesOption
from framefind.cli.options import DryRunOption, LibraryOption, VideosArgument
from framefind.counts import write_count

if TYPE_CHECKING:
    from framefind.library import Library


def remove(
    names: VideosArgument = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Forget only words: of subtitles, speech or screen. Repeatable.",
        ),
    ] = None,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Delete what the library stored of removed videos now, for good."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    library: LibraryOption = None,
) -> None:
    """Forget videos, never touching their files; `framefind restore` brings them back.

    $ framefind remove "*film*" --dry-run
    """
    from framefind.library import open

    if not names and not purge:
        show.fail_usage("name the videos to remove")
    opened = open(library)
    paths = opened.remove(names or (), dry_run=True)
    if words:
        return _remove_words(opened, paths, words, dry_run, yes)
    forgetting = Forgetting(opened, paths)
    if not dry_run:
        forgetting.confirm(yes)
        opened.remove(paths, purge=purge)
    forgetting.print("would be removed" if dry_run else "removed")
    return None


def _remove_words(
    library: "Library", paths: list[str], words: list[str], dry_run: bool, yes: bool
) -> None:
    """Forget what was read of some sources, once that is confirmed."""
    names = " and ".join(words)
    if not (dry_run or yes):
        if not (sys.stdin and sys.stdin.isatty()):
            show.fail(f"the {names} of {write_count(len(paths), 'path')} would be forgotten: --yes")
        typer.confirm(f"Forget the {names} of {len(paths)} paths?", err=True, abort=True)
    library.remove(paths, words=words, dry_run=dry_run)
    verb = "would be removed" if dry_run else "removed"
    show.print_note(f"{names} of {write_count(len(paths), 'path')} {verb}")
