"""`framefind status`: a library in numbers."""

from dataclasses import asdict

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption


def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show the library in numbers: videos, frames, hours, size, and what is offline or lost.

    $ framefind status
    """
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
    for root in facts.offline:
        videos = show.number(root.videos, "video")
        show.out(f"offline  {root.root}: {root.reason}; {videos} kept")
    if facts.lost:
        have_lost = "have lost their" if facts.lost > 1 else "has lost its"
        videos = show.number(facts.lost, "video")
        show.out(f"lost     {videos} {have_lost} frames: index them again")
    return None
