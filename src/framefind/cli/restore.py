"""`framefind restore`: bring back what was removed or pruned."""

from framefind.cli import show
from framefind.cli.options import DryRunOption, LibraryOption, VideosArgument
from framefind.counts import write_count


def restore(
    names: VideosArgument = None, dry_run: DryRunOption = False, library: LibraryOption = None
) -> None:
    """Bring back what was removed or pruned; without VIDEO, list what can come back.

    $ framefind restore
    $ framefind restore "*film*" --dry-run
    """
    from framefind.library import open

    opened = open(library)
    if names:
        paths = opened.restore(names, dry_run=dry_run)
    else:
        paths = sorted(path for row in opened.restorable() for path in row.paths)
    for path in paths:
        show.print_line(path)
    verb = "restored" if names and not dry_run else "can be restored"
    show.print_note(f"{write_count(len(paths), 'path')} {verb}")
