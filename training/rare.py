"""Words that pictures seldom had mean what like words mean.

    python training/rare.py --pack PACK --words words.pt --tokenizer TOKENS --out RARE

What a word shows is learned from the pictures whose texts have it: "car" from thousands, "woodland"
from a few, "stallion" from none, and what a table of token vectors says of the last is little more
than chance. The sentence model knows what such a word is like, and WordNet what it is one of. So
its vector is drawn to that of the likest word that more pictures have, the more the fewer it has
itself, as an estimate from few observations is drawn to what is known without them. Words that are
no token, but pieces, become one: "aeroplane" is then the token of "plane". Writes words.pt and
tokenizer.json for `export.py`, which stores equal vectors once.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import batches
import numpy as np
import sources
import torch
import towers
from classes import times_said
from numpy.typing import NDArray
from teacher import Teacher
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import whole_words

from words import OPPOSITES

PHRASES = ("{}", "a photo of a {}", "a {} in the picture")
COMMON = 0.7  # of what all words have in common is taken from each
KNOWN = 200  # pictures that a word needs to lend its meaning
WHOLE = 20  # pictures with which a word in pieces says enough for itself
MORE = 1.5  # times the pictures of the word that takes it
LIKE = 0.65  # cosine from which two words are like each other
KIN = 0.45  # the same, if WordNet has it that one is the other, or one of the other
AGREED = 2  # captions of a picture that have a word, for the picture to count
CLASS = 20  # pictures of a class that teach its name
FEW = 1000  # pictures, of which a word's own vector counts half
ENDS = ("", "s", "es", "d", "ed", "ing", "er", "ers", "y", "ly")


@dataclass(frozen=True)
class Counts:
    """What the texts of pictures say of each word."""

    seen: Counter[str]  # of how many pictures it is said, or begins a word that is in pieces
    named: Counter[str]  # of how many in a caption, or as a whole name
    taught: set[str]  # words of classes' own names: seen enough, however few pictures they have

    @classmethod
    def of(cls, pack: Path, tokenizer: Tokenizer) -> "Counts":
        seen: Counter[str] = Counter()
        named: Counter[str] = Counter()
        taught: set[str] = set()
        for source, (_, _, kind, _) in sources.TRAIN.items():
            captions = source in batches.CAPTIONED
            listed = json.loads((pack / f"{source}.json").read_text())["texts"]
            pictures = Counter(texts[0] for texts in listed)
            # What is said of a video counts once, however many frames it has.
            told = dict.fromkeys(map(tuple, listed)) if captions else listed
            for texts in told:
                words = shown(texts, AGREED if captions else 1)
                seen.update(words)
                named.update(words if captions else words & {text.lower() for text in texts})
                known = kind == "label" and pictures[texts[0]] >= CLASS
                taught.update(said(texts[0]) if known else ())
        taught |= {word + "s" for word in taught} | {word.removesuffix("s") for word in taught}
        for word in [*seen]:
            begin = tokenizer.encode(word, add_special_tokens=False).tokens[0]
            if begin != word:
                seen[begin] += seen[word]
                taught.update([begin] if word in taught else ())
        return cls(seen, named, taught)


def said(text: str) -> list[str]:
    return re.findall("[a-z]{3,}", text.lower())


def shown(texts: Sequence[str], agreed: int) -> set[str]:
    """Words that so many of a picture's texts have, or all of them where they are fewer."""
    least = min(agreed, len(texts))
    return {word for word, count in times_said(texts).items() if count >= least and len(word) > 2}


def in_pieces(
    pack: Path, whole: set[str], seen: Counter[str], lend: list[str], kin: dict[str, list[str]]
) -> list[str]:
    """Words of texts, and kin of words that lend their meaning, that no token says but pieces.

    None that enough pictures have, nor one that another word in pieces begins with.
    """
    captions = json.loads((pack / "sentences.json").read_text())
    known = {word for text in captions for word in said(text)} | seen.keys()
    known |= {word for word, others in kin.items() if not {*lend}.isdisjoint(others)}
    begun = {word[:end] for word in seen.keys() - whole for end in range(3, len(word))}
    return sorted(word for word in known - whole - begun if seen[word] < WHOLE)


def vectors(words: list[str]) -> NDArray[np.float32]:
    """What the sentence model says of words, in three phrases: (words, 384)."""
    teacher = Teacher()
    found = [teacher.sentences([phrase.format(word) for word in words]) for phrase in PHRASES]
    return np.mean(found, axis=0, dtype=np.float32)


def likenesses(words: list[str], lend: list[str]) -> NDArray[np.float32]:
    """(words, lend): cosines, less most of what the words that lend have in common."""
    meant = vectors(words)
    row = {word: i for i, word in enumerate(words)}
    lending = [row[word] for word in lend]
    meant -= COMMON * meant[lending].mean(0)
    meant /= np.linalg.norm(meant, axis=1, keepdims=True)
    found: NDArray[np.float32] = meant @ meant[lending].T
    return found


def misread(word: str, other: str) -> bool:
    """Whether two words are alike to the sentence model for their first piece: "capiz", "cap"."""
    short, long = sorted((word, other), key=len)
    form = long.startswith(short) and long[len(short) :] in ENDS
    return word[:3] == other[:3] and not form


def narrower(word: str, other: str, kin: dict[str, list[str]]) -> bool:
    """Whether a word is a kind of the other by more than one step, as dogs are of animals."""
    word, other = (one.removesuffix("s") for one in (word, other))
    return other in kin.get(word, ()) and word not in kin.get(other, ())


def likes(
    words: list[str],
    likeness: NDArray[np.float32],
    known: list[str],
    counts: Counts,
    whole: set[str],
    kin: dict[str, list[str]],
) -> dict[str, str]:
    """The known word that each is like; of those like none, or taught, nothing.

    `likeness` is (words, known words). A word in pieces (not in `whole`) is only a form of, or like
    a word that begins otherwise, but for its `kin`.
    """
    opposites = [{*pair.split("/")} for pair in OPPOSITES.split()]
    often = np.array([counts.seen[other] for other in known])
    like = {}
    for word, row in zip(words, likeness, strict=True):
        if word in counts.taught:
            continue
        related = {*kin.get(word, ())}
        fits = (often >= MORE * max(1, counts.seen[word])) & (row >= KIN)
        for at in sorted(np.flatnonzero(fits), key=lambda at: -row[at]):
            other = known[at]
            wrong = narrower(other, word, kin) or {word, other} in opposites
            wrong = wrong or (word not in whole and misread(word, other))
            near = row[at] >= LIKE and not wrong
            if other != word and (near or other in related):
                like[word] = other
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
    parser.add_argument("--words", type=Path, nargs="+", required=True, help="towers: their mean")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    counts, row = Counts.of(options.pack, tokenizer), whole_words(tokenizer)
    kin = json.loads((options.pack / "kin.json").read_text())
    lend = [word for word in row if counts.named[word] >= KNOWN and len(word) > 2]
    words = [word for word in row if len(word) > 2]
    words += in_pieces(options.pack, {*row}, counts.seen, lend, kin)
    like = likes(words, likenesses(words, lend), lend, counts, {*row}, kin)
    print(f"{len(like)} words are like another, {len(like.keys() - row.keys())} of them in pieces")
    state = towers.mean_text(options.words)
    wider, rows = widened(json.loads(options.tokenizer.read_text()), like)
    for name, value in state.items():
        if name.endswith("table"):
            state[name] = drawn(value, like, counts.seen, row)[rows]
        elif name.endswith("weight") and value.ndim == 1:
            state[name] = value[rows]
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(state, options.out / "words.pt")
    (options.out / "tokenizer.json").write_text(json.dumps(wider))


if __name__ == "__main__":
    main()
