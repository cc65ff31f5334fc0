"""`framefind prune`: forget videos whose files are gone."""

from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.confirm import Forgetting, YesOption
from framefind.cli.options import DryRunOption, LibraryOption


def prune(
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Also forget videos whose disk or folder is away now."),
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    library: LibraryOption = None,
) -> None:
    """Forget videos whose files are gone.

    $ framefind prune --dry-run
    $ framefind prune
    """
    from framefind.library import open

    opened = open(library)
    forgetting = Forgetting(opened, opened.prune(offline=offline, dry_run=True))
    if not dry_run:
        forgetting.confirm(yes)
        opened.prune(offline=offline)
    forgetting.print("would be pruned" if dry_run else "pruned")
    show.print_offline([] if offline else opened.status().offline)
