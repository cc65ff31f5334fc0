"""The tokens of a vocabulary: those that a model for English needs, and those that are words."""

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

LATIN = "\u024f"  # the last letter of Latin Extended-B
SIGNS = "\u2010", "\u20cf"  # quotation marks, dashes, currencies


def latin(tokenizer: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """A tokenizer (as JSON) without other scripts' letters and without places nothing has taken.

    Words in them are `[UNK]` then. Also which row of a table of all tokens each one has.
    """
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    kept = [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if _needed(token)]
    number = {token: i for i, token in enumerate(kept)}
    added = [{**row, "id": number[row["content"]]} for row in tokenizer["added_tokens"]]
    smaller = {
        **tokenizer,
        "added_tokens": added,
        "post_processor": None,  # no text is given marks of its begin and end
        "model": {**tokenizer["model"], "vocab": number},
    }
    return smaller, [vocabulary[token] for token in kept]


def once(
    tokenizer: dict[str, Any], tokens: list[int], tables: list[Tensor]
) -> tuple[dict[str, Any], list[int]]:
    """One number for all tokens that have equal rows in every table; the rows that are left.

    `tokens` are the rows of a tokenizer's tokens; its added ones keep a row of their own.
    """
    rows = torch.cat([table[tokens] for table in tables], 1)
    equal = torch.unique(rows, dim=0, return_inverse=True)[1].tolist()
    for row in tokenizer["added_tokens"]:
        equal[row["id"]] = -1 - row["id"]
    number = {one: i for i, one in enumerate(dict.fromkeys(equal))}
    left = {number[one]: row for one, row in zip(equal, tokens, strict=True)}
    words = tokenizer["model"]["vocab"].items()
    vocabulary = {token: number[equal[i]] for token, i in words}
    added = [{**row, "id": vocabulary[row["content"]]} for row in tokenizer["added_tokens"]]
    model = {**tokenizer["model"], "vocab": vocabulary}
    return {**tokenizer, "added_tokens": added, "model": model}, [*left.values()]


def whole_words(tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens that are words, of two letters and more, and their numbers."""
    vocabulary = tokenizer.get_vocab().items()
    return {t: i for t, i in vocabulary if len(t) > 1 and t.isascii() and t.isalpha()}


def _needed(token: str) -> bool:
    first, last = SIGNS
    known = (letter <= LATIN or first <= letter <= last for letter in token)
    return not token.startswith("[unused") and all(known)
