"""Text from files and numbers, as they may be printed.

Text is printed on one line and without control characters.
"""

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framefind.types import Moment

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: line ends, tabs, the escapes of terminals
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the text around
    "\u2028\u2029\ufff9-\ufffb"  # they end lines and paragraphs, or hide what follows
    "\ud800-\udfff]"  # bytes that are not UTF-8
)
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def printable(text: str, keep: str = "") -> str:
    r"""Return the text with every character that does not just print itself escaped.

    As Python writes them: `\n`, `\x1b`, `\u202e`. Characters of `keep` stay.
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def printable_json(text: str) -> str:
    r"""Return a JSON document with the same characters as JSON's own escapes, such as `\u202e`."""
    return _UNSAFE.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def _escape(letter: str) -> str:
    code = ord(letter)
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def escape_field(text: str) -> str:
    """Return a field of a table; backslashes are doubled, so that escapes are unambiguous."""
    return printable(text.replace("\\", "\\\\"))


def round_down(value: float, digits: int) -> str:
    """Return a number rounded down, so that a search with it as `min_score` keeps the result."""
    unit = 10**digits
    return f"{math.floor(value * unit) / unit:.{digits}f}"


def write_confidence(moment: "Moment") -> str:
    """Return how sure a moment is, in a word and in whole percent, rounded down: `likely 67%`."""
    return f"{moment.certainty} {round_down(100 * moment.confidence, 0)}%"
