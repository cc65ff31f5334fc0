"""SAMI: moments at which texts of several languages begin, each until the next of its language."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from framefind.types import Cue
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup

_SYNC = re.compile(r"<sync\b[^>]*?\bstart\s*=\s*[\"']?(-?\d+)[^>]*>", re.IGNORECASE)
_PARAGRAPH = re.compile(r"<p\b([^>]*)>", re.IGNORECASE)
_CLASS = re.compile(r"\bclass\s*=\s*[\"']?([^\s\"'>]+)", re.IGNORECASE)
_STYLE = re.compile(r"\.([\w-]+)\s*\{[^}]*?\blang\s*:\s*([\w-]+)", re.IGNORECASE)
_LAST_SECONDS = 4.0
"""How long a text stands that nothing ends."""


def read_sami(text: str, language: str) -> Iterator[Cue]:
    """Yield the cues of a file, language by language; `language` wins where it has only one."""
    languages = {name.casefold(): find_language(code) or "" for name, code in _STYLE.findall(text)}
    by_class: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    # Between syncs stand their times: what begins the file, time, text, time, text …
    _, *parts = _SYNC.split(text)
    for time, content in zip(parts[::2], parts[1::2], strict=True):
        before, *paragraphs = _PARAGRAPH.split(content.replace("\n", " "))
        for attributes, raw in [("", before), *zip(paragraphs[::2], paragraphs[1::2], strict=True)]:
            if attributes or raw.strip():
                match = _CLASS.search(attributes)
                by_class[match[1].casefold() if match else ""].append((int(time) / 1000, raw))
    for name, events in by_class.items():
        own = languages.get(name, "")
        if language and len(by_class) == 1:
            own = language
        events.sort(key=lambda event: event[0])
        for (start, raw), (end, _) in pairwise([*events, (events[-1][0] + _LAST_SECONDS, "")]):
            yield Cue(start, end, strip_markup(raw), "subtitles", own)
