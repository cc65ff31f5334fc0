"""Other words for one thing, from WordNet 3.0 (Fellbaum 1998), and captions in another order."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from towers import tokenize

LEXICON = json.loads(Path(__file__).with_name("lexicon.json").read_text())
SEEN = {4, 5, 6, 8, 11, 13, 15, 17, 18, 19, 20, 25, 27}  # WordNet's files of what can be seen
MIN_COUNT = 5  # captions that have a word which others are brought to
MAX_GLOSS = 16  # words
MOST_ORDERS, PAIRS, NOUNS = 64, 64, 48  # in a batch
MIN_NOUN = 60  # captions that have a noun which pictures are asked for by
PROMPTS = ("{}", "a {}", "a photo of a {}")
MAX_SENSE = 2  # of a rarer word: its meanings are in the order of their use

EVEN = re.compile(r"\b(and|or|with|by|near|beside|next|together)\b")  # joins what may change places
THINGS, QUALITIES, OPPOSITES = (
    re.compile(rf"\b({'|'.join(LEXICON[name])})\b") for name in ("things", "qualities", "opposites")
)


def reorder(caption: str, rng: np.random.Generator) -> str | None:
    """Return a caption that says something else with the same words or an opposite, if there is."""
    caption = caption.lower()
    others = []
    for pattern in (THINGS, QUALITIES):
        matches = [*pattern.finditer(caption)]
        if matches and matches[0][0] != matches[-1][0]:
            (start, stop), (begin, end) = matches[0].span(), matches[-1].span()
            between = caption[stop:begin]
            # "a man and a woman", "black and white" mean the same the other way round.
            even = EVEN.search(between) if pattern is THINGS else len(between.split()) < 2
            if not even:
                swapped = matches[-1][0] + between + matches[0][0]
                others.append(caption[:start] + swapped + caption[end:])
    other = OPPOSITES.sub(lambda match: LEXICON["opposites"][match[0]], caption, count=1)
    others += [other] * 2 if other != caption else []
    return others[rng.integers(len(others))] if others else None


def read_synsets(wordnet: Path) -> Iterator[tuple[list[tuple[str, int]], str]]:
    """Yield WordNet's nouns that can be seen: words with the number of their sense, and a gloss."""
    index, data = (
        [line for line in (wordnet / f"{kind}.noun").read_text().splitlines() if line[0] != " "]
        for kind in ("index", "data")
    )
    senses = {}
    for line in index:
        word, _, count, *rest = line.split()
        for number, synset in enumerate(rest[-int(count) :], 1):
            senses[word, synset] = number
    for line in data:
        facts, _, gloss = line.partition(" | ")
        synset, kind, _, count, *rest = facts.split()
        if int(kind) in SEEN:
            words = rest[: 2 * int(count, 16) : 2]
            kept = [word for word in words if re.fullmatch("[a-z_'-]+", word)]
            named = [(word.replace("_", " "), senses[word, synset]) for word in kept]
            yield named, re.sub(r"\([^)]*\)", "", gloss.split(";")[0]).strip()


def split(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower())


def read_pairs(wordnet: Path, captions: list[str]) -> list[tuple[str, str, int]]:
    """Return other words or a gloss, the commonest word for the same, and how often that occurs."""
    counts: Counter[str] = Counter()
    for caption in captions:
        words = split(caption)
        starts = range(len(words))
        counts.update({" ".join(words[i : i + n]) for n in (1, 2, 3) for i in starts})
    pairs = []
    for words, gloss in read_synsets(wordnet):
        usual = [(word, sense) for word, sense in words if sense <= MAX_SENSE]
        if not usual:
            continue
        common, sense = max(usual, key=lambda pair: counts[pair[0]])
        if counts[common] < MIN_COUNT or sense > 1:
            continue
        others = [word for word, _ in usual if word not in (common, common + "s")]
        if 2 <= len(gloss.split()) <= MAX_GLOSS:
            others.append(gloss)
        pairs += [(other, common, counts[common]) for other in others]
    return pairs


def write_lexicon(out: Path, wordnet: Path, texts: list[str]) -> None:
    """Write other orders of texts, by their number, words for one thing, and common nouns."""
    rng = np.random.default_rng(0)
    orders = {i: order for i, text in enumerate(texts) if (order := reorder(text, rng))}
    pairs = read_pairs(wordnet, texts)
    nouns = {common for _, common, count in pairs if count >= MIN_NOUN and " " not in common}
    facts = {"orders": orders, "pairs": pairs, "nouns": sorted(nouns)}
    (out / "lexicon.json").write_text(json.dumps(facts))


class Lexicon:
    """What `write_lexicon` wrote, drawn at random for each batch, as token ids."""

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / "lexicon.json").read_text())
        orders = tokenize([*facts["orders"].values()])
        self.orders = dict(zip(map(int, facts["orders"]), orders, strict=True))
        *self.pairs, counts = zip(*facts["pairs"], strict=True)
        self.drawn = np.cumsum(np.sqrt(counts)) / np.sqrt(counts).sum()
        self.nouns = set(facts["nouns"])

    def draw_orders(self, texts: list[int]) -> tuple[list[int], list[Tensor]]:
        """Return rows of texts that there are in another order, and those."""
        rows = [row for row, text in enumerate(texts) if text in self.orders][:MOST_ORDERS]
        return rows, [self.orders[texts[row]] for row in rows]

    def draw_pairs(self, rng: np.random.Generator) -> list[Tensor]:
        """Return other words or glosses, and then the common word for each, by how common it is."""
        chosen = np.searchsorted(self.drawn, rng.random(PAIRS)).clip(max=len(self.drawn) - 1)
        return ask([column[i] for column in self.pairs for i in chosen], rng)

    def draw_nouns(self, texts: list[str], rng: np.random.Generator) -> tuple[list[Tensor], Tensor]:
        """Return nouns that a few texts have, in singular or plural, and which: (nouns, n)."""
        ends = ("", "s", "es")
        words = [{word.removesuffix(end) for word in split(text) for end in ends} for text in texts]
        counts = Counter(noun for spoken in words for noun in spoken & self.nouns)
        few = sorted(noun for noun, count in counts.items() if count <= len(texts) // 4)
        nouns = [str(noun) for noun in rng.permutation(few)[:NOUNS]]
        right = torch.zeros(len(nouns), len(texts))
        for row, noun in zip(right, nouns, strict=True):
            row.copy_(torch.tensor([noun in spoken for spoken in words]))
        return ask(nouns, rng), right


def ask(words: list[str], rng: np.random.Generator) -> list[Tensor]:
    """Return the tokens of words as people ask for them; of longer texts as they are."""
    prompts = [PROMPTS[0 if word.count(" ") > 2 else rng.integers(3)] for word in words]
    return tokenize([prompt.format(word) for prompt, word in zip(prompts, words, strict=True)])
