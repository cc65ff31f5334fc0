"""Words that pictures seldom had mean what like words mean.

    python training/rare.py --pack PACK --words words.pt --tokenizer TOKENS --out RARE

What a word shows is learned from the pictures whose texts have it: "car" from thousands, "woodland"
from a few, "stallion" from none, and what a table of token vectors says of the last is little more
than chance. The sentence model knows what such a word is like. So its vector is drawn to that of
the likest word that more pictures have, the more the fewer it has itself, as an estimate from few
observations is drawn to what is known without them. Words of captions that are no token, but
pieces, become one: "aeroplane" is then the token of "plane". Writes words.pt and tokenizer.json for
`export.py`, which stores equal vectors once.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import batches
import numpy as np
import sources
import torch
from numpy.typing import NDArray
from teacher import Teacher
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import whole_words

PHRASES = ("{}", "a photo of a {}", "a {} in the picture")
COMMON = 0.7  # of what all words have in common is taken from each
KNOWN = 20  # pictures that a word needs to lend its meaning
MORE = 1.5  # times the pictures of the word that takes it
LIKE = 0.65  # cosine from which two words are like each other
FEW = 50  # pictures, of which a word's own vector counts half
ENDS = ("", "s", "es", "d", "ed", "ing", "er", "ers", "y", "ly")


def counted(pack: Path) -> tuple[Counter[str], Counter[str]]:
    """Of how many pictures each word is in a text; and in a caption or as a whole name."""
    seen: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for source in sources.TRAIN:
        captions = source in batches.CAPTIONED
        for texts in json.loads((pack / f"{source}.json").read_text())["texts"]:
            words = set(said(" ".join(texts)))
            seen.update(words)
            named.update(words if captions else words & {text.lower() for text in texts})
    return seen, named


def said(text: str) -> list[str]:
    return re.findall("[a-z]{3,}", text.lower())


def vectors(words: list[str]) -> NDArray[np.float32]:
    """What the sentence model says of words, in three phrases: (words, 384)."""
    teacher = Teacher()
    found = [teacher.sentences([phrase.format(word) for word in words]) for phrase in PHRASES]
    return np.mean(found, axis=0, dtype=np.float32)


def misread(word: str, other: str) -> bool:
    """Whether two words are alike to the sentence model for their first piece: "capiz", "cap"."""
    short, long = sorted((word, other), key=len)
    form = long.startswith(short) and long[len(short) :] in ENDS
    return word[:3] == other[:3] and not form


def likes(
    words: list[str],
    likeness: NDArray[np.float32],
    known: list[str],
    seen: Counter[str],
    whole: set[str],
) -> dict[str, str]:
    """The known word that each is like; of those like none, nothing.

    `likeness` is (words, known words). A word in pieces (not in `whole`) is only a form of, or like
    a word that begins otherwise.
    """
    often = np.array([seen[other] for other in known])
    like = {}
    for word, row in zip(words, likeness, strict=True):
        fits = (often >= MORE * max(1, seen[word])) & (row >= LIKE)
        for at in sorted(np.flatnonzero(fits), key=lambda at: -row[at]):
            if known[at] != word and (word in whole or not misread(word, known[at])):
                like[word] = known[at]
                break
    return like


def drawn(table: Tensor, like: dict[str, str], seen: Counter[str], row: dict[str, int]) -> Tensor:
    """The table with each word's row drawn to that of its like word, the best known first."""
    table = table.clone()
    for word in sorted(like.keys() & row.keys(), key=lambda word: -seen[word]):
        own, other = row[word], row[like[word]]
        table[own].lerp_(table[other], FEW / (FEW + seen[word]))
    return table


def widened(tokenizer: dict[str, Any], like: dict[str, str]) -> tuple[dict[str, Any], list[int]]:
    """The tokenizer (as JSON) with a token for every like word, and the rows of a table for it."""
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    count = len(vocabulary)
    fresh = sorted(like.keys() - vocabulary.keys())
    more = {word: count + i for i, word in enumerate(fresh)}
    rows = [*range(count), *(vocabulary[like[word]] for word in fresh)]
    model = {**tokenizer["model"], "vocab": {**vocabulary, **more}}
    return {**tokenizer, "model": model}, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    seen, named = counted(options.pack)
    row = whole_words(Tokenizer.from_file(str(options.tokenizer)))
    captions = json.loads((options.pack / "sentences.json").read_text())
    pieces = {word for text in captions for word in said(text)} - row.keys() - seen.keys()
    words = [*(word for word in row if len(word) > 2), *sorted(pieces)]
    meant = vectors(words)
    lend = [i for i, word in enumerate(words) if named[word] >= KNOWN and word in row]
    meant -= COMMON * meant[lend].mean(0)
    meant /= np.linalg.norm(meant, axis=1, keepdims=True)
    like = likes(words, meant @ meant[lend].T, [words[i] for i in lend], seen, {*row})
    print(f"{len(like)} words are like another, {len(like.keys() & pieces)} of them in pieces")
    state = torch.load(options.words, weights_only=True)
    tokenizer, rows = widened(json.loads(options.tokenizer.read_text()), like)
    for name, value in state.items():
        if name.endswith("table"):
            state[name] = drawn(value, like, seen, row)[rows]
        elif name.endswith("weight") and value.ndim == 1:
            state[name] = value[rows]
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(state, options.out / "words.pt")
    (options.out / "tokenizer.json").write_text(json.dumps(tokenizer))


if __name__ == "__main__":
    main()
