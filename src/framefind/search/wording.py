"""Wording: which words of a text have to occur in what is said, and which in what is written.

Of "a sign that says no parking" a sign holds the last two words alone. The others introduce them
("that says") or name the sign, which is there wherever text stands on the screen. The same goes for
"the word OPEN on a shop window", "a laundromat sign" and "a man talking about insomnia".
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from framefind.index.tokens import fold_but_umlauts, split_terms

_QUOTED = re.compile(r'"([^"]*)"')
_TYPOGRAPHIC = re.compile(
    '"[^"]*"|[“”„‟]([^“”„‟]*)[“”‟]|[«»‹›]([^«»‹›]*)[«»‹›]|＂([^＂]*)＂|[「『]([^「」『』]*)[」』]'
)
"""Quotes between plain marks, or those that phones and word processors make of them."""
_QUOTE = "\0"
"""Stands for a quote that is taken out."""
_CONTENT = re.compile(rf"[^\W_]|{_QUOTE}")

_SUBTITLES = re.compile(r"\b(?:captions?|subtitles?)\b", re.IGNORECASE)
_NAMES = (
    r"\b(?:banners?|billboards?|captions?|graffiti|headings?|headlines?|inscription|labels?|"
    r"lettering|logos?|placards?|posters?|screen|signs?|signage|signboard|stickers?|subtitles?|"
    r"text|titles?|words?|writing|written)\b"
)
"""Names of text on the screen, which need not hold them."""
_NAME = re.compile(_NAMES, re.IGNORECASE)
_LINKS = frozenset(["a", "an", "and", "are", "at", "in", "is", "of", "on", "that", "the", "with"])
"""They join such names to other words."""

_SAYS = r"\b(?:say|says|saying|said)"
_QUOTES = r"\bthe\s+(?:words?|phrase|letters)"
_BEGIN = (
    rf"\s+(?:{_QUOTES}\s+)?(?={_CONTENT.pattern})(?!(?-i:about|are|as|at|in|is|of|on|to|was)\b)"
)
"""Where words begin that were introduced, and how they do not."""
_WRITTEN = re.compile(
    rf"(?:{_NAMES}\s+(?:(?:that|which)\s+)?(?:reads?|reading)|\b(?:that|which)\s+reads?|"
    rf"\b(?:captioned|labell?ed|marked|(?:en)?titled)|{_SAYS}|{_QUOTES}){_BEGIN}",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    rf"(?:(?P<of_text>{_NAMES}\s+(?:(?:that|which)\s+)?)?{_SAYS}|{_QUOTES}|"
    rf"\b(?:talk|talks|talking|speak|speaks|speaking)\s+(?:about|of)|"
    rf"\b(?:discuss|mention)(?:es|s|ing)?){_BEGIN}",
    re.IGNORECASE,
)
_PLACED = re.compile(r"\s+(?:displayed|painted|printed|written)\s+(?=(?:above|at|in|on|over)\b)")
"""What comes after words, and before where they stand."""
_ELSE = re.compile(
    r"\s*[,;:]\s*|\s+(?:above|against|at|behind|below|beside|by|in|inside|near|next|on|outside|over|"
    r"painted|printed|under|while|with|written|and(?=\s+(?:a|an|the)\s))\s+"
)
"""Where a text seems to go on with something else, unless that is in capitals."""


class Wording(NamedTuple):
    """What cues of some sources hold if they are meant: all quotes and words, perhaps more.

    Each is in small letters and comes once. If they are `introduced`, words are meant; if it
    `is_all`, the text asks for nothing else.
    """

    sources: Sequence[str]
    quotes: list[str]
    words: list[str]
    more: list[str]
    introduced: bool
    is_all: bool

    @property
    def terms(self) -> list[str]:
        """Return all of them, in that order."""
        return [*self.quotes, *self.words, *self.more]


class _Part(NamedTuple):
    """The part of a text that some cues hold, and what they may hold; the rest as in `Wording`."""

    words: str
    more: str = ""
    introduced: bool = False
    is_all: bool = True


def read_wording(text: str) -> list[Wording]:
    """Return what a text asks of words: the same of all sources, or of each its own."""
    text = _straighten(text)
    quotes = _list_once(quote for quote in _QUOTED.findall(text) if split_terms(quote))
    plain = _QUOTED.sub(lambda quote: _QUOTE if split_terms(quote[1]) else " ", text)
    spoken = _find_spoken(plain)
    written = _find_written(plain)
    titles = written if _SUBTITLES.search(plain) else spoken
    sources: defaultdict[_Part, list[str]] = defaultdict(list)
    for source, part in (("speech", spoken), ("subtitles", titles), ("screen", written)):
        sources[part].append(source)
    return [_as_wording(names, quotes, part) for part, names in sources.items()]


def unquote(text: str) -> str:
    """Return a text without the quotation marks around what must occur."""
    return _QUOTED.sub(r"\1", _straighten(text))


def _straighten(text: str) -> str:
    """Return a text with plain marks around its quotes."""
    return _TYPOGRAPHIC.sub(
        lambda quote: f'"{quote[quote.lastindex]}"' if quote.lastindex else quote[0], text
    )


def _as_wording(sources: Sequence[str], quotes: list[str], part: _Part) -> Wording:
    words = _list_once(split_terms(part.words), quotes)
    more = _list_once(split_terms(part.more), [*quotes, *words])
    return Wording(sources, quotes, words, more, part.introduced, part.is_all)


def _list_once(terms: Iterable[str], besides: Sequence[str] = ()) -> list[str]:
    """Return terms as the index of words holds them, each once, without some others."""
    return [term for term in dict.fromkeys(map(fold_but_umlauts, terms)) if term not in besides]


def _find_spoken(text: str) -> _Part:
    """Return the part of a text that is said: what is introduced, or all of it."""
    for match in _SPOKEN.finditer(text):
        if not match["of_text"]:
            return _cut(text, match)
    return _Part(text)


def _find_written(text: str) -> _Part:
    """Return the part of a text that is written: what is introduced, or is no name of text."""
    if match := _WRITTEN.search(text):
        return _cut(text, match)
    if match := _PLACED.search(text):
        before = text[: match.start()]
        begin = max((place.end() for place in _ELSE.finditer(before)), default=0)
        words = _drop_names(before[begin:])
        if _CONTENT.search(words):
            return _Part(words, text[begin:], True, False)
    words = _drop_names(text)
    is_named = _CONTENT.search(words) and _NAME.search(text)
    return _Part(words, text) if is_named else _Part(text)


def _cut(text: str, match: re.Match[str]) -> _Part:
    """Return the words that an introduction begins, up to where the text goes on."""
    remainder = text[match.end() :]
    end = _ELSE.search(remainder)
    words = remainder[: end.start()] if end else remainder
    is_all = not end and not _drop_names(text[: match.start()])
    return _Part(words, remainder[len(words) :], True, is_all)


def _drop_names(text: str) -> str:
    """Return a text without the names of text and what joins them to other words."""
    words = _NAME.sub(" ", text).split()
    return " ".join(word for word in words if word.casefold() not in _LINKS)
