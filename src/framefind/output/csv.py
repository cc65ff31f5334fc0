"""CSV (RFC 4180) for spreadsheets: a header, then the rows of the TSV with the same escapes."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from framefind.output.rows import columns, rows
from framefind.types import Page


def write(page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Yield the header and a line for each result, all with as many fields."""
    names = columns(page)
    yield _line(names)
    for row in rows(page):
        yield _line(row + [""] * (len(names) - len(row)))


def _line(fields: Sequence[str]) -> str:
    """Return the fields as one line; those that need quotes have them."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(fields)
    return file.getvalue()
