"""Markup of subtitles: what is left is plain text."""

import html
import re
import unicodedata

_OVERRIDES = re.compile(r"(\{[^{}]*\})")
_DRAWING = re.compile(r"\\p(\d)")
"""In an ASS override: the text after it is a vector drawing, unless the digit is 0."""
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_BRACES = re.compile(r"\{[^{}]*\}")
_BREAK = re.compile(r"\\[Nn]|<\s*br\s*/?\s*>|\[br\]", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->|<\?.*?\?>|</?[\d:.]+>", re.DOTALL)
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_SPACES = re.compile(r"[^\S\n]+")


def strip_markup(raw: str, is_ass: bool = False) -> str:
    """Return the text of a cue in Unicode's NFC form, its lines without tags and spare spaces.

    Tags of HTML, WebVTT and ASS go, and so do control characters, also those that turn the
    direction of text: right-to-left text needs none. `is_ass`: all braces are overrides.
    """
    text = (_BRACES if is_ass else _OVERRIDE).sub("", _drop_drawings(raw))
    text = _BREAK.sub("\n", text).replace("\\h", " ").replace("\r\n", "\n").replace("\r", "\n")
    text = html.unescape(_TAG.sub("", text))
    text = _HIDDEN.sub(" ", unicodedata.normalize("NFC", text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _drop_drawings(raw: str) -> str:
    """Return a text without the vector drawings of ASS."""
    parts = []
    is_drawing = False
    for part in _OVERRIDES.split(raw):
        if part.startswith("{") and (scales := _DRAWING.findall(part)):
            is_drawing = scales[-1] != "0"
        elif not is_drawing:
            parts.append(part)
    return "".join(parts)
