"""CSV (RFC 4180) for spreadsheets: a header, then the rows of the TSV with the same escapes."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from framefind.output.printable import escape_field
from framefind.output.rows import columns, rows
from framefind.types import Moment, Page

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Yield the header and a line for each result, all with as many fields."""
    names = columns(page)
    yield write_row(names)
    for row in rows(page):
        yield write_row(row + [""] * (len(names) - len(row)))


def write_row(fields: Sequence[str], delimiter: str = ",") -> str:
    """Return the fields as one line; those that need quotes have them.

    What a spreadsheet would take for a formula begins with an apostrophe, as it shows text.
    """
    file = io.StringIO()
    safe = [f"'{field}" if field.startswith(_FORMULA) else field for field in fields]
    csv.writer(file, delimiter=delimiter, lineterminator="").writerow(safe)
    return file.getvalue()


MOMENT_COLUMNS = ("path", "start", "end", "t", "score", "confidence", "words", "video_id")


def write_moments(moments: Iterable[Moment]) -> Iterator[str]:
    """Yield the header and a line for each moment, with the words that match."""
    yield write_row(MOMENT_COLUMNS)
    for moment in moments:
        (cells,) = rows(Page([replace(moment, then=None)], 1, 0))
        words = " | ".join(" ".join(match.text.split()) for match in moment.why if match.text)
        yield write_row([*cells, escape_field(words), moment.video_id])
