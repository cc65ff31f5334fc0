r"""TSV: tab-separated lines, without a header.

A moment: path, start, end, t, score, confidence, and for a `then` query the start, end and t of
what follows. A video, if the page was asked for by video: path, score, number of moments, t of its
best one. Tab, newline and backslash in a path are written \t, \n and \\, other characters that do
not print as \x1b or \u202e.
"""

from collections.abc import Iterator
from typing import Any

from framefind.output.rows import rows
from framefind.types import Page


def write(page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each result."""
    return ("\t".join(row) for row in rows(page))
