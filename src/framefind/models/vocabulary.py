"""Which words of a text a model knows. What it does not know gets the same answers, whatever it is.

A tokenizer says so of some (`[UNK]`); others it takes apart, and those that the text tower never
learned get the vector that random letters get.
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
from framefind.models.tokenizer import UNKNOWN

_WORDS = re.compile(r"\w+|[^\w\s]+")  # and symbols
_RANDOM = ["qxzvk", "zkwpt", "xvqjz", "wqzkf", "jzqxw", "kvzxq", "pqzwx", "vkjqz"]
_ORDINARY = ["a dog", "a car", "a red dress", "people", "a building", "the sea", "food", "music"]
_ALIKE = 0.9  # mean cosine of random letters with their mean, if a tower makes the same of all
_NONSENSE = 0.75  # cosine with that mean from which on a word is like random letters


class Vocabulary(NamedTuple):
    """The words of a text that a model knows, and those that it does not."""

    known: list[str]
    unknown: list[str]


def vocabulary(model: Model, text: str) -> Vocabulary:
    """Tell the words of a text that a model knows from those that it does not.

    Emoji are words; punctuation is neither known nor unknown.
    """
    found = Vocabulary([], [])
    for word in _WORDS.findall(unicodedata.normalize("NFC", text)):
        known = _is_known(model, word)
        if known is not None:
            (found.known if known else found.unknown).append(word)
    return found


@lru_cache(1 << 14)
def _is_known(model: Model, word: str) -> bool | None:
    """Tell whether a model knows a word or run of symbols; None for what is no word."""
    tokens = model.tokenize(word)
    if tokens and all(token in UNKNOWN for token in tokens):
        return False
    if not any(one.isalnum() or unicodedata.category(one) == "So" for one in word):
        return None
    whole = len(tokens) == 1 and word.isascii()
    return whole or not word[0].isalnum() or not _is_like_nonsense(model, word)


def _is_like_nonsense(model: Model, word: str) -> bool:
    """Tell whether a model makes of a word what it makes of random letters."""
    centre, nonsense = _nonsense(model)
    if nonsense is None:
        return False
    vector = model.embed_texts([word])[0] - centre
    return float(vector @ nonsense) >= _NONSENSE * float(np.linalg.norm(vector))


@lru_cache(64)
def _nonsense(model: Model) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the mean of ordinary words, and from there the direction of random letters, if any.

    A tower that makes something else of every word has no such direction. Both are kept in the
    user's cache folder: to find them out takes more than a query.
    """
    file = cache_path(model, " ".join([*_ORDINARY, *_RANDOM]).encode())
    try:
        known = load_arrays(file)
        centre, mean = (np.asarray(known[name], np.float32) for name in ("centre", "mean"))
    except (OSError, ValueError, KeyError, EOFError):
        vectors = model.embed_texts([*_ORDINARY, *_RANDOM])
        centre = vectors[: len(_ORDINARY)].mean(axis=0)
        random = vectors[len(_ORDINARY) :] - centre
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        mean = random.mean(axis=0)
        save_cached(file, lambda fresh: np.savez(fresh, centre=centre, mean=mean))
    length = float(np.linalg.norm(mean))  # which is the mean cosine with the mean, too
    return centre, mean / length if length >= _ALIKE else None
