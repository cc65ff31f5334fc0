"""Texts as token ids: cleaned, cut and padded as in the training of the model."""

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
from framefind.models.layouts.base import TextEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))

_SPACES = {"▁", "Ġ"}
"""Tokens that stand for a space."""

UNKNOWN = {"[UNK]", "<unk>"}
"""Tokens that stand for words that a tokenizer does not know."""

_CLIP_VOCABULARY_SIZE = 49408
_CLIP_ENDS = ("<|startoftext|>", "<|endoftext|>")
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def open_tokenizer(encoder: TextEncoder) -> "Tokenizer":
    """Open the tokenizer of a text encoder, with its truncation and padding.

    Raises ModelError when it cannot be read or lacks the token to pad with.
    """
    try:
        tokenizer = _read_tokenizer(encoder.tokenizer)
    except Exception as error:  # tokenizers raises nothing more precise
        raise ModelError(f"{encoder.tokenizer}: cannot be read: {error}") from None
    tokenizer.enable_truncation(encoder.max_tokens)
    tokenizer.no_padding()
    if encoder.pad is not None:
        pad_id = tokenizer.token_to_id(encoder.pad)
        if pad_id is None:
            raise ModelError(f"{encoder.tokenizer}: has no token {encoder.pad!r} to pad with")
        tokenizer.enable_padding(
            direction="left" if encoder.pad_left else "right",
            pad_id=pad_id,
            pad_token=encoder.pad,
            length=encoder.max_tokens,
        )
    return tokenizer


def _read_tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    if file.suffix == ".gz":
        return _build_clip_tokenizer(*_read_clip_vocabulary(file))
    if file.name == "vocab.json":
        merges = _parse_merges(file.with_name("merges.txt").read_text("utf-8").splitlines())
        return _build_clip_tokenizer(json.loads(file.read_text("utf-8")), merges)
    return Tokenizer.from_file(str(file))


def _read_clip_vocabulary(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Read CLIP's vocabulary and merges as they were published: merges only, a token for each.

    Before these come all bytes, then all bytes that end a word, in the order of their code points;
    bytes that are not printable come last.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    merges = _parse_merges(gzip.decompress(file.read_bytes()).decode("utf-8").splitlines())
    merges = merges[: _CLIP_VOCABULARY_SIZE - 2 * 256 - len(_CLIP_ENDS)]
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    return {token: place for place, token in enumerate([*tokens, *_CLIP_ENDS])}, merges


def _parse_merges(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of a list of merges, whose first line is a comment."""
    pairs = (line.split() for line in lines[1:])
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def _build_clip_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> "Tokenizer":
    """Build CLIP's tokenizer (Radford et al., 2021): lower case, byte pairs within words."""
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


def encode_texts(
    tokenizer: "Tokenizer", encoder: TextEncoder, texts: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return token ids and attention mask of n texts, both int64 (n, length).

    Raises QueryError for what is no text.
    """
    cleaned = [_clean(unicode(text), encoder.clean) for text in texts]
    encodings = tokenizer.encode_batch(cleaned, add_special_tokens=encoder.special_tokens)
    if encoder.pad is not None:
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        if not encoder.masked:
            return ids, np.ones_like(ids)
        return ids, np.array([encoding.attention_mask for encoding in encodings], np.int64)
    unknown = tokenizer.token_to_id("[UNK]") or 0  # for a text without any token
    rows = [encoding.ids or [unknown] for encoding in encodings]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def split_word(tokenizer: "Tokenizer", encoder: TextEncoder, word: str) -> list[str]:
    """Return the tokens of one word or run of symbols, without padding, ends and spaces."""
    encoding = tokenizer.encode(_clean(word, encoder.clean), add_special_tokens=False)
    pairs = zip(encoding.tokens, encoding.attention_mask, strict=True)
    return [token for token, attended in pairs if attended and token not in _SPACES]


def _clean(text: str, clean: str) -> str:
    if not clean:
        return text
    if clean == "canonical":  # as SigLIP was trained: big_vision's prompt_engineering.py
        text = " ".join(text.translate(_PUNCTUATION).split())
    return text.lower()
