"""Texts as token ids: cleaned, cut and padded as the model that reads them was trained."""

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ModelError
from framefind.models.towers import Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))


def open_tokenizer(texts: Texts) -> "Tokenizer":
    """The tokenizer of a text tower, which cuts and pads as that does.

    Raises ModelError when it cannot be read or lacks the token to pad with.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(texts.tokenizer))
    except Exception as error:  # it raises nothing more precise
        raise ModelError(f"{texts.tokenizer}: cannot be read: {error}") from None
    tokenizer.enable_truncation(texts.max_tokens)
    tokenizer.no_padding()
    if texts.pad is not None:
        if (pad := tokenizer.token_to_id(texts.pad)) is None:
            raise ModelError(f"{texts.tokenizer}: has no token {texts.pad!r} to pad with")
        side = "left" if texts.pad_left else "right"
        tokenizer.enable_padding(
            direction=side, pad_id=pad, pad_token=texts.pad, length=texts.max_tokens
        )
    return tokenizer


def tokens(
    tokenizer: "Tokenizer", how: Texts, texts: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask of n texts, int64 (n, length)."""
    cleaned = [_clean(text, how.clean) for text in texts]
    encodings = tokenizer.encode_batch(cleaned, add_special_tokens=how.special_tokens)
    if how.pad is not None:
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        if not how.masked:
            return ids, np.ones_like(ids)
        return ids, np.array([encoding.attention_mask for encoding in encodings], np.int64)
    unknown = tokenizer.token_to_id("[UNK]") or 0  # a text of no token at all
    rows = [encoding.ids or [unknown] for encoding in encodings]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for row, found in enumerate(rows):
        ids[row, : len(found)] = found
        mask[row, : len(found)] = 1
    return ids, mask


def _clean(text: str, how: str) -> str:
    if not how:
        return text
    if how == "canonical":  # as SigLIP was trained: big_vision's prompt_engineering.py
        text = " ".join(text.translate(_PUNCTUATION).split())
    return text.lower()
