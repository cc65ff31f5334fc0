"""Tokens: the words of a text as the index of words holds them.

They are in small letters, without accents and ligatures. A text has them in three forms. In the
plain one, letters and digits alone count: "AT&T", "don't" and "1,000" are two words each. In the
joined one they are `att`, `dont` and `1000`, and symbols are words of their own: `c + +`. In the
spelled one, else as the joined one, umlauts are two letters: "Müller" is `mueller`. Characters of
scripts without spaces are words of their own, so that any of their sequences is a phrase; so are
the syllables of Korean, whose words have endings.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

_ACCENTS = re.compile(
    "[\u0300-\u036f\u20d0-\u20ff"  # Latin, Greek, Cyrillic; around symbols
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed"  # Arabic
    "\u00ad\u200d\ufe00-\ufe0f]"  # they only tell how others look
)
_SPELLED = {ord("æ"): "ae", ord("œ"): "oe", ord("ø"): "o", ord("ł"): "l", ord("đ"): "d"}
_SPELLED |= {ord("ð"): "d", ord("þ"): "th", ord("ħ"): "h", ord("ı"): "i", ord("⁄"): "/"}
"""Letters that have no accent for Unicode, as they are typed without a key for them."""
_UMLAUT = re.compile("[äöüøå]|[aou]\u0308|a\u030a", re.IGNORECASE)
_SPELLED_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}
"""Letters that many write as two where they have no key for them."""
_SIGNS = {"‘": "'", "’": "'", "ʼ": "'", "‐": "-", "\u2011": "-", "\u200c": "-", "־": "-"}
"""Signs within words, as they are typed; Persian parts words by what has no width."""

_CLUSTER = re.compile("(?s).[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*")
"""A character with what is written onto it."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_KOREAN = "\uac00-\ud7a3"
_MARKS = "\u0300-\u1cff\ua800-\uabff"
"""Beside letters, these blocks hold the vowels that Indic scripts write as marks."""
_LETTER = f"(?:(?![_{_UNSPACED}{_KOREAN}])[\\w{_MARKS}])"
# Patterns with these blocks are compiled when they are first used, since that takes 20 ms.
_PLAIN = f"[{_UNSPACED}{_KOREAN}]|{_LETTER}+"
_JOINT = (
    r"(?:(?<=[^\W\d_])(?:'(?!(?:ll|re|d)\b)|[.&_/]|-\n?)(?=[^\W\d_])"  # he'll is not hell
    r"|(?<=\d)-(?=[^\W\d_])|(?<=[^\W\d_])-(?=\d)"
    r"|(?<=\d)[.,' ](?=\d{3}(?!\d)))"  # thousands
)
"""Signs between the parts of a word, which the joined form leaves out."""
_JOINTS = re.compile(_JOINT)
_LOOSE_JOINT = rf"(?:{_JOINT}|(?<=[^\W\d_])'(?=[^\W\d_])|(?<=\d)[.,:/](?=\d))"
SYMBOLS = "#%@$+<=>^`|~"
"""Signs of ASCII that count as symbols; beyond it, all do that are neither letters nor marks."""
_SYMBOL = f"[{re.escape(SYMBOLS)}]|[^\\x00-\\x7f\\w{_MARKS}]"
_JOINED = f"[{_UNSPACED}{_KOREAN}]|{_LETTER}+(?:{_JOINT}{_LETTER}+)*|{_SYMBOL}"
_PART = f"[{_UNSPACED}]+|[{_KOREAN}]+|{_LETTER}+"
_TERM = f"{_PART}(?:{_LOOSE_JOINT}{_LETTER}+)*|{_SYMBOL}"


class Token(NamedTuple):
    """A word, and where it stands in its text: from, to."""

    word: str
    start: int
    end: int


def fold(text: str) -> str:
    """Return a text in small letters, without accents; of punctuation, only ASCII's is left."""
    return text.lower() if text.isascii() else "".join(fold_letters(text))


def fold_but_umlauts(text: str) -> str:
    """Return a text as `fold` does, but with its umlauts."""
    return "".join(_fold_around_umlauts(text, {umlaut: umlaut for umlaut in _SPELLED_UMLAUTS}))


def _fold_around_umlauts(text: str, umlauts: Mapping[str, str]) -> list[str]:
    """Return what each character of a text is folded to, and its umlauts to `umlauts`."""
    letters = list(fold_letters(text))
    for match in _UMLAUT.finditer(text):
        letters[match.start()] = umlauts[unicodedata.normalize("NFC", match[0]).lower()]
    return letters


def fold_letters(text: str) -> Iterator[str]:
    """Yield what each character of a text is folded to: nothing, a letter or several."""
    for match in _CLUSTER.finditer(text):
        yield _fold_cluster(match[0])
        yield from ("",) * (len(match[0]) - 1)


@lru_cache(1 << 14)
def _fold_cluster(cluster: str) -> str:
    if unicodedata.category(cluster[0])[0] == "S":
        plain = unicodedata.normalize("NFKC", cluster[0])
        return plain if len(plain) == 1 else cluster[0]  # ™ is no "TM" of the word before it
    plain = _SIGNS.get(cluster) or unicodedata.normalize("NFKD", cluster).casefold()
    plain = unicodedata.normalize("NFKC", _ACCENTS.sub("", plain).translate(_SPELLED))
    return "".join(
        letter if letter.isascii() or unicodedata.category(letter)[0] in "LMNS" else " "
        for letter in plain
    )


def phrase_of(text: str) -> str:
    """Return the words of a text in the plain form, with spaces between them."""
    return " ".join(re.findall(_PLAIN, fold(text)))


def joined_phrase_of(text: str) -> str:
    """Return the words of a text in the joined form, with spaces between them."""
    return " ".join(_JOINTS.sub("", word) for word in re.findall(_JOINED, fold(text)))


def spelled_phrase_of(text: str) -> str:
    """Return the words of a text in the spelled form, with spaces between them."""
    if not _UMLAUT.search(text):
        return joined_phrase_of(text)
    return joined_phrase_of("".join(_fold_around_umlauts(text, _SPELLED_UMLAUTS)))


def has_symbols(text: str) -> bool:
    """Return whether a text has symbols, which only its joined form holds."""
    return re.search(_SYMBOL, re.sub(_PLAIN, "", fold(text))) is not None


def list_tokens(text: str) -> tuple[list[Token], list[Token], list[Token]]:
    """Return the words of a text in the plain, joined and spelled form, with their places."""
    letters = list(fold_letters(text))
    spelled = _fold_around_umlauts(text, _SPELLED_UMLAUTS)
    return _place(letters, _PLAIN), _place(letters, _JOINED), _place(spelled, _JOINED)


def _place(letters: Sequence[str], pattern: str) -> list[Token]:
    """Return the words of a text, given by what each character of it is folded to."""
    origin = [at for at, folded in enumerate(letters) for _ in folded]
    return [
        Token(match[0], origin[match.start()], origin[match.end() - 1] + 1)
        for match in re.finditer(pattern, "".join(letters))
    ]


def split_terms(text: str) -> list[str]:
    """Return the words that a text asks for: compounds whole, pairs of unspaced characters."""
    terms = []
    for match in re.finditer(_TERM, fold_but_umlauts(text)):
        term = match[0]
        if re.match(f"[{_UNSPACED}]", term) and len(term) > 1:
            terms += [term[at : at + 2] for at in range(len(term) - 1)]
        else:
            terms.append(term)
    return terms


def split_compound(term: str) -> list[str]:
    """Return the parts of a compound that `split_terms` gives; a term that is none by itself."""
    return re.findall(_PART, term) or [term]
