"""`framefind status`: a library in numbers."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption
from framefind.counts import write_count

if TYPE_CHECKING:
    from framefind.reports import Status


def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show the library in numbers: videos, frames, hours, size, and what is offline or lost.

    $ framefind status
    """
    from framefind.library import open
    from framefind.times import clock

    facts = open(library).status()
    if as_json:
        return show.print_json({"schema": "framefind/status/v1", **asdict(facts)})
    counts = ", ".join(f"{count} {status}" for status, count in facts.videos.items()) or "none"
    show.print_line(f"library  {facts.library}")
    show.print_line(f"model    {facts.model}")
    show.print_line(f"videos   {counts}")
    show.print_line(f"frames   {facts.frames}, of {clock(round(3600 * facts.hours))} of video")
    show.print_line(f"cues     {facts.cues}")
    show.print_line(f"disk     {facts.size / 1e6:.1f} MB")
    show.print_line(
        f"index    {'up to date' if facts.index_fresh else 'refreshed by the next search'}"
    )
    for root in facts.offline:
        videos = write_count(root.videos, "video")
        show.print_line(f"offline  {root.root}: {root.reason}; {videos} kept")
    for loss in list_losses(facts):
        show.print_line(f"lost     {loss}")
    return None


def list_losses(facts: "Status") -> Iterator[str]:
    """Yield what of a library's videos is lost, and what to do about it."""
    kinds = {"frames": facts.lost, "words": facts.lost_words, "pictures": facts.lost_pictures}
    for noun, lost in kinds.items():
        if lost:
            have_lost = "have lost their" if lost > 1 else "has lost its"
            yield f"{write_count(lost, 'video')} {have_lost} {noun}: index them again"
