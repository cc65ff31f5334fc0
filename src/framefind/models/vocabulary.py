"""The words of a text that a model knows. All words that it does not know get the same answers.

A tokenizer marks some unknown words (`[UNK]`) and splits others into pieces. Some text encoders
give such pieces, if they never learned their word, the same vector as random letters. Others give
any letters a vector of their own: there only their look tells, short pieces and hardly a vowel.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_arrays
from framefind.models.base import Model
from framefind.models.cache import cache_path, save_cached
from framefind.models.catalog import MINI
from framefind.models.tokenizer import UNKNOWN

_WORDS_AND_SYMBOLS = re.compile(r"\w+|[^\w\s]+")
_RANDOM_WORDS = ["qxzvk", "zkwpt", "xvqjz", "wqzkf", "jzqxw", "kvzxq", "pqzwx", "vkjqz"]
_ORDINARY_WORDS = [
    "a dog",
    "a car",
    "a red dress",
    "people",
    "a building",
    "the sea",
    "food",
    "music",
]
_CONSONANTS = re.compile(r"[b-df-hj-np-tv-xz]{5}", re.IGNORECASE)
_MAX_PIECE_LETTERS = 3
"""Random letters: five consonants in a row, in pieces no longer than this."""
_MIN_RANDOM_COSINE = 0.9
"""Mean cosine of random words with their mean, in models that give all of them one vector."""
_MIN_NONSENSE_COSINE = 0.75
"""Cosine with that mean at which a word counts as random letters."""


_FOREIGN_WORDS = re.compile(
    r"\b(auf|aus|avec|bir|dans|das|dem|der|een|eine?|einem|einen|einer|en|het|im|jest|los|mit|na|"
    r"nella|och|oder|por|på|się|sobre|sur|uma|une|und|yang)\b",
    re.IGNORECASE,
)
"""Small words of other languages in Latin script that are none of English."""


class Vocabulary(NamedTuple):
    """The words of a text that a model knows, and those that it does not know."""

    known: list[str]
    unknown: list[str]


def split_words(model: Model, text: str) -> Vocabulary:
    """Split the words of a text into those that a model knows and those that it does not.

    Emoji are words; punctuation is neither known nor unknown.
    """
    words = Vocabulary([], [])
    for word in _WORDS_AND_SYMBOLS.findall(unicodedata.normalize("NFC", text)):
        is_known = _is_known(model, word)
        if is_known is not None:
            (words.known if is_known else words.unknown).append(word)
    return words


def find_foreign_words(model: Model, text: str) -> list[str]:
    """Return the small words that show that a text is not English, for `mini`, which is.

    Tokenizers split the words of other languages into pieces, as they do rare ones of English.
    """
    if model.name != MINI:
        return []
    return [match[0] for match in _FOREIGN_WORDS.finditer(unicodedata.normalize("NFC", text))]


def is_cut(model: Model, text: str) -> bool:
    """Return whether a text has more tokens than a model reads, with the two at its ends."""
    return len(model.tokenize(f"{text} x x")) < len(model.tokenize(text)) + 2


@lru_cache(1 << 14)
def _is_known(model: Model, word: str) -> bool | None:
    """Return whether a model knows a word or run of symbols; None for punctuation."""
    tokens = model.tokenize(word)
    if tokens and all(token in UNKNOWN for token in tokens):
        return False
    if not any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in word):
        return None
    is_one_token = len(tokens) == 1 and word.isascii()
    return is_one_token or not word[0].isalnum() or not _is_like_nonsense(model, word, tokens)


def _is_like_nonsense(model: Model, word: str, tokens: list[str]) -> bool:
    """Return whether a word, of some tokens, is nearly the same to a model as random letters."""
    centre, nonsense = _find_nonsense(model)
    if nonsense is None:
        pieces = (re.sub(r"\W|_|</w>", "", token) for token in tokens)
        is_in_pieces = all(len(piece) <= _MAX_PIECE_LETTERS for piece in pieces)
        return is_in_pieces and _CONSONANTS.search(word) is not None
    vector = model.embed_texts([word])[0] - centre
    return float(vector @ nonsense) >= _MIN_NONSENSE_COSINE * float(np.linalg.norm(vector))


@lru_cache(64)
def _find_nonsense(model: Model) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the mean vector of ordinary words, and the direction of random words from there.

    The direction is None for a model that gives every random word another vector. Both are kept in
    the user's cache folder, since embedding these words takes longer than a query.
    """
    file = cache_path(model, " ".join([*_ORDINARY_WORDS, *_RANDOM_WORDS]).encode())
    try:
        stored = load_arrays(file)
        centre = np.asarray(stored["centre"], np.float32)
        mean = np.asarray(stored["mean"], np.float32)
    except (OSError, ValueError, KeyError, EOFError):
        vectors = model.embed_texts([*_ORDINARY_WORDS, *_RANDOM_WORDS])
        centre = vectors[: len(_ORDINARY_WORDS)].mean(axis=0)
        random = vectors[len(_ORDINARY_WORDS) :] - centre
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        mean = random.mean(axis=0)
        save_cached(file, lambda fresh: np.savez(fresh, centre=centre, mean=mean))
    length = float(np.linalg.norm(mean))  # also the mean cosine of unit vectors with their mean
    return centre, mean / length if length >= _MIN_RANDOM_COSINE else None
