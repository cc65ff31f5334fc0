"""Formats of search results: for each, one file with a function `write` and one line here."""

from collections.abc import Callable, Iterator
from typing import Any

from framefind.errors import UsageError
from framefind.output import csv, json, ndjson, tsv
from framefind.output.timelines.registry import TIMELINES
from framefind.types import Page

Write = Callable[[Page, dict[str, Any]], Iterator[str]]
"""Takes a page and the query as `Query.document()`; yields lines of text without their ends."""

FORMATS: dict[str, Write] = {
    "csv": csv.write,
    "json": json.write,
    "ndjson": ndjson.write,
    "tsv": tsv.write,
}


def write(page: Page, query: dict[str, Any], name: str) -> Iterator[str]:
    """Yield the lines of a page in the format `name`, one of these or of a timeline.

    Raises UsageError for an unknown one.
    """
    if name in TIMELINES:
        return TIMELINES[name](page.moments, str(query.get("text") or "framefind"))
    if name not in FORMATS:
        raise UsageError(f"format {name!r}: use {', '.join([*FORMATS, *TIMELINES])}")
    return FORMATS[name](page, query)
