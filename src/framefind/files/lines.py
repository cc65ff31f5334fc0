"""Text files of one thing a line: queries, captions."""

import codecs
from pathlib import Path

from framefind.errors import QueryError

BYTE_ORDER_MARKS = {  # the longer ones first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""How a text file may begin, and the encoding that it has then."""


def read_lines(file: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file that are not blank, and their numbers, from 1.

    It is UTF-8, or what its byte order mark says. Only LF and CRLF end a line, not what else
    Unicode counts as an end. Raises QueryError, with the line, when it cannot be read as text.
    """
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueryError(f"{file}: cannot be read: {reason}") from None
    encoding = next(
        (name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8"
    )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        where = content.count(b"\n", 0, error.start) + 1
        encoding_name = encoding.removesuffix("-sig").upper()
        raise QueryError(
            f"{file}, line {where}: cannot be read as {encoding_name}: save it as UTF-8"
        ) from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, line in lines:
        if "\0" in line:
            raise QueryError(f"{file}, line {number}: cannot be read as text: save it as UTF-8")
    return [(number, line.removesuffix("\r")) for number, line in lines]
