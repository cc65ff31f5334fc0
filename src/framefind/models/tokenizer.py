"""Texts as token ids: cleaned, cut and padded as the model that reads them was trained."""

import gzip
import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.arguments import unicode
from framefind.errors import ModelError
from framefind.models.layouts import Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))

_SPACES = {"▁", "Ġ"}

UNKNOWN = {"[UNK]", "<unk>"}
"""Tokens that stand for what a tokenizer does not know."""

_CLIP_TOKENS = 49408
_CLIP_ENDS = ("<|startoftext|>", "<|endoftext|>")
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def open_tokenizer(texts: Texts) -> "Tokenizer":
    """The tokenizer of a text tower, which cuts and pads as that does.

    Raises ModelError when it cannot be read or lacks the token to pad with.
    """
    try:
        tokenizer = _read(texts.tokenizer)
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


def _read(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    if file.suffix == ".gz":
        return _clip_tokenizer(*_bundled(file))
    if file.name == "vocab.json":
        merges = _merges(file.with_name("merges.txt").read_text("utf-8").splitlines())
        return _clip_tokenizer(json.loads(file.read_text("utf-8")), merges)
    return Tokenizer.from_file(str(file))


def _bundled(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of CLIP as it was published: merges only, a token for each.

    Before these come all bytes, then all bytes that end a word, in the order of their code points
    but for those that print nothing, which come last.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    merges = _merges(gzip.decompress(file.read_bytes()).decode("utf-8").splitlines())
    merges = merges[: _CLIP_TOKENS - 2 * 256 - len(_CLIP_ENDS)]
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    return {token: place for place, token in enumerate([*tokens, *_CLIP_ENDS])}, merges


def _merges(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of a list of merges, whose first line is a comment."""
    pairs = (line.split() for line in lines[1:])
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def _clip_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> "Tokenizer":
    """CLIP's tokenizer (Radford et al., 2021): lower case, byte pairs within words."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    start, end = _CLIP_ENDS
    model = models.BPE(vocabulary, merges, unk_token=end, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    ends = [(token, vocabulary[token]) for token in _CLIP_ENDS]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=ends
    )
    return tokenizer


def tokens(
    tokenizer: "Tokenizer", how: Texts, texts: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask of n texts, int64 (n, length).

    Raises QueryError for what is no text.
    """
    cleaned = [_clean(unicode(text), how.clean) for text in texts]
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


def word_tokens(tokenizer: "Tokenizer", how: Texts, word: str) -> list[str]:
    """Return the tokens that are made of one word or run of symbols, without padding and ends."""
    encoding = tokenizer.encode(_clean(word, how.clean), add_special_tokens=False)
    padded = zip(encoding.tokens, encoding.attention_mask, strict=True)
    return [token for token, counts in padded if counts and token not in _SPACES]


def _clean(text: str, how: str) -> str:
    if not how:
        return text
    if how == "canonical":  # as SigLIP was trained: big_vision's prompt_engineering.py
        text = " ".join(text.translate(_PUNCTUATION).split())
    return text.lower()
