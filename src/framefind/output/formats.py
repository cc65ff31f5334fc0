"""Formats of search results: for each, one file with a function `write` and one line here."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from framefind.errors import UsageError
from framefind.output import csv, json, ndjson, tsv
from framefind.types import Page

if TYPE_CHECKING:
    from framefind.output.timelines import base

Write = Callable[[Page, dict[str, Any]], Iterator[str]]
"""Takes a page and the query as `Query.document()`; yields lines of text without their ends."""

FORMATS: dict[str, Write] = {
    "csv": csv.write,
    "json": json.write,
    "ndjson": ndjson.write,
    "tsv": tsv.write,
}


def find_format(name: str) -> Write:
    """Return what writes a page in a format, one of these or of a playlist.

    Raises UsageError if there is none of that name.
    """
    if name in FORMATS:
        return FORMATS[name]
    from framefind.output.timelines.registry import PLAYLISTS  # a search waits for none of them

    if name in PLAYLISTS:
        return partial(_write_playlist, PLAYLISTS[name].write)
    raise UsageError(f"format {name!r}: use {', '.join([*FORMATS, *PLAYLISTS])}")


def _write_playlist(write: "base.Write", page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Write the moments of a page, under the text of the query."""
    return write(page.moments, str(query.get("text") or "framefind"))
