"""`framefind maintain`: the upkeep of a library's tables."""

from framefind.cli import show
from framefind.cli.options import LibraryOption
from framefind.counts import write_count


def maintain(library: LibraryOption = None) -> None:
    """Compact the tables, and delete what was removed or replaced more than a week ago.

    $ framefind maintain
    """
    from framefind.library import open

    upkeep = open(library).maintain()
    rewritten = write_count(upkeep.rewritten, "data file")
    dropped = write_count(upkeep.dropped, "row")
    deleted = write_count(upkeep.deleted, "file")
    show.print_note(
        f"{rewritten} rewritten into {upkeep.written}, {dropped} dropped, {deleted} deleted"
    )
    if upkeep.unreadable:
        files = write_count(upkeep.unreadable, "data file")
        show.fail(f"{files} could not be read: `framefind status` counts the videos it concerns")
