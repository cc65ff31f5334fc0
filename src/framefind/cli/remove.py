"""`framefind remove`: forget videos."""

from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.confirm import Forgetting, YesOption
from framefind.cli.options import DryRunOption, LibraryOption, VideosArgument


def remove(
    names: VideosArgument = None,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Also delete at once what the library stored of removed videos."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    library: LibraryOption = None,
) -> None:
    """Forget videos; their files are never touched, and `framefind restore` brings them back.

    $ framefind remove "*film*" --dry-run
    """
    from framefind.library import open

    if not names and not purge:
        show.fail_usage("name the videos to remove")
    opened = open(library)
    paths = opened.remove(names or (), dry_run=True)
    forgetting = Forgetting(opened, paths)
    if not dry_run:
        forgetting.confirm(yes)
        opened.remove(paths, purge=purge)
    forgetting.print("would be removed" if dry_run else "removed")
