"""Train the text tower alone, against what a finished image tower makes of the pictures.

    python training/wording.py --pack PACK --model FOLDER --out RUN/words.pt

FOLDER is an exported model. Text starts afresh from the teacher's tokens or, against a model that
`join.py` made, from the text towers of its halves (`--halves`), which stay side by side. A `Guide`,
a perceptron from the sentence model's vectors into the space of the pictures, and FOLDER's own text
tower say where whole texts belong; a word belongs where the captions that contain it are, and a
name that no caption has where the known texts are that the sentence model finds most like it.
`export.py --words RUN/words.pt` takes the outcome.
"""

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import ascii_lowercase as LETTERS

import augment
import batches
import numpy as np
import rounding
import torch
import towers
import vocabulary
from classes import Classes
from evaluate import Pair
from losses import contrast, targets
from numpy.typing import NDArray
from PIL import Image
from teacher import Teacher
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

PICTURES = {"flickr8k": 8_000, "sports100": 8_000, "caltech101": 6_000}  # of a source, at most
PICTURES |= {"coco": 16_000, "mini_imagenet": 16_000, "tiny_imagenet": 8_000}
OF_OTHERS = 4_000
SOFT = 0.2  # share of the soft targets
NEAREST = 32  # known texts that place an unknown name
SHARP = 50.0  # how much more the nearest of them count
STRANGE = 0.5  # likeness to all known texts below which a name means nothing to be seen
COMMON = 0.7  # of what all captions have in common is taken from a word
OFTEN = 5  # captions that a word must be in


@dataclass(frozen=True)
class Known:
    """Pictures as the image tower sees them, each with rows of its texts."""

    vectors: Tensor  # (n, dimensions)
    texts: list[list[str]]
    labels: NDArray[np.bool_]  # whether the texts are names of a class
    classes: Tensor  # (n,) which of `Pictures.classes`, -1 if none
    shares: Tensor  # (n,) how often each is drawn

    @classmethod
    def read(cls, pack: Path, model: Path) -> "Known":
        """Every chosen picture as it is, and every third one cropped and worn as well."""
        pair, pictures = Pair(model), batches.Pictures(pack)
        vectors, texts, labels, classes, shares = [], [], [], [], []
        for name, pixels in pictures.pixels.items():
            rng = np.random.default_rng(0)
            count = min(len(pixels), PICTURES.get(name, OF_OTHERS))
            rows = np.sort(rng.choice(len(pixels), count, replace=False))
            for chosen, view in (
                (rows, Image.fromarray),
                (rows[::3], partial(worn, pair.size, rng)),
            ):
                parts = np.array_split(chosen, max(1, len(chosen) // 256))
                vectors += [pair.pictures([view(pixels[i]) for i in part]) for part in parts]
                texts += [pictures.texts[name][i] for i in chosen]
                labels += [pictures.kinds[name] == "label"] * len(chosen)
                classes += [pictures.class_of(name, i) for i in chosen]
                shares += [pictures.shares[name] / len(chosen)] * len(chosen)
        joined = torch.from_numpy(np.concatenate(vectors))
        return cls(joined, texts, np.array(labels), torch.tensor(classes), torch.tensor(shares))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, list[str], list[str]]:
        """Rows of pictures, a text of each, and that text in a phrase if it is a label."""
        rows = torch.multinomial(self.shares, count)
        names, phrases = [], []
        for i in rows.tolist():
            kind = "label" if self.labels[i] else "caption"
            name = batches.name_of(self.texts[i], kind, rng)
            names.append(name)
            phrases.append(phrase(name, rng) if self.labels[i] else name)
        return rows, names, phrases


def worn(size: int, rng: np.random.Generator, pixels: NDArray[np.uint8]) -> Image.Image:
    """A part of a picture with one of the damages of video frames."""
    part = augment.crop(Image.fromarray(pixels), size, 0.6, rng)
    change, _ = augment.DEGRADATIONS[rng.integers(len(augment.DEGRADATIONS))]
    return change(part, rng)


def phrase(name: str, rng: np.random.Generator) -> str:
    """The name, half of the time in a template."""
    if rng.random() < 0.5:
        return name
    return batches.TEMPLATES[int(rng.integers(len(batches.TEMPLATES)))].format(name)


class Sentences:
    """The teacher's vectors of all texts, by text."""

    def __init__(self, texts: list[str], file: Path) -> None:
        """`file`.json and .npy keep what was embedded before."""
        kept, vectors = file.with_suffix(".json"), file.with_suffix(".npy")
        known = json.loads(kept.read_text()) if kept.exists() else []
        fresh = [*dict.fromkeys(texts).keys() - set(known)]
        if fresh:
            found = Teacher().sentences(fresh)
            np.save(vectors, np.concatenate([np.load(vectors), found]) if known else found)
            kept.write_text(json.dumps(known + fresh))
        self.row = {text: i for i, text in enumerate(known + fresh)}
        self.vectors = torch.from_numpy(np.load(vectors)).float()

    def __getitem__(self, texts: list[str]) -> Tensor:
        return self.vectors[[self.row[text] for text in texts]]


class Guide(nn.Module):
    """Teacher vectors, centred, to the pictures' space."""

    def __init__(self, centre: Tensor, dimensions: int, hidden: int = 1024) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.skip = nn.Linear(len(centre), dimensions)
        self.up, self.drop = nn.Linear(len(centre), hidden), nn.Dropout(0.1)
        self.down = nn.Linear(hidden, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        x = 16 * (x - self.centre)
        return F.normalize(self.skip(x) + self.down(self.drop(F.gelu(self.up(x)))), dim=-1)


def rows_of(names: list[str]) -> Tensor:
    """Equal names have one number."""
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([number[name] for name in names])


class Falling:
    """AdamW whose rate rises briefly, then falls to zero."""

    def __init__(self, groups: list[dict[str, object]], steps: int) -> None:
        self.inner = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        shape = lambda step: min(1.0, step / 50) * (1 - step / (steps + 1))  # noqa: E731
        self.rate = torch.optim.lr_scheduler.LambdaLR(self.inner, shape)

    def step(self, loss: Tensor) -> None:
        self.inner.zero_grad()
        loss.backward()
        self.inner.step()
        self.rate.step()


def learn_guide(known: Known, sentences: Sentences, steps: int, batch: int = 1024) -> Guide:
    guide = Guide(sentences.vectors.mean(0), known.vectors.shape[1])
    scale = nn.Parameter(torch.tensor(3.2))
    falling = Falling(
        [{"params": [*guide.parameters(), scale], "lr": 1e-3, "weight_decay": 0.05}], steps
    )
    rng = np.random.default_rng(0)
    for step in range(steps):
        rows, names, phrases = known.draw(batch, rng)
        known_phrases = [
            p if p in sentences.row else n for p, n in zip(phrases, names, strict=True)
        ]
        logits = scale.exp() * known.vectors[rows] @ guide(sentences[known_phrases]).T
        loss = contrast(logits, targets(rows_of(names), sentences[names], SOFT))
        falling.step(loss)
        if step % 100 == 0:
            print(f"guide {step} loss {loss.item():.3f} scale {scale.exp().item():.1f}", flush=True)
    return guide.eval()


def words_of(captions: list[str]) -> dict[str, list[int]]:
    """Which captions each word is in, for those in enough of them."""
    found: dict[str, list[int]] = defaultdict(list)
    for i, caption in enumerate(captions):
        for word in set(re.findall("[a-z]+", caption.lower())):
            found[word].append(i)
    return {word: rows for word, rows in found.items() if len(rows) >= OFTEN}


@torch.no_grad()
def places(
    teach: Callable[[list[str]], Tensor],
    sentences: Sentences,
    nothing: Tensor,
    labels: list[str],
    captions: list[str],
    others: list[str],
) -> dict[str, Tensor]:
    """Where every text belongs among the pictures; `teach` says it of the known ones."""
    placed = dict(zip(labels, teach(labels), strict=True))
    vectors = teach(captions)
    centre = vectors.mean(0)
    for word, rows in words_of(captions).items():
        mean = F.normalize(vectors[rows].mean(0) - COMMON * centre, dim=0)
        placed[word] = F.normalize(mean + placed[word], dim=0) if word in placed else mean
    anchors = [*placed]
    stands = torch.stack([*placed.values(), nothing])
    near = sentences[anchors]
    for part in batched([text for text in others if text not in placed], 4096):
        likeness, rows = (sentences[part] @ near.T).topk(NEAREST, 1)
        likeness = F.pad(likeness, (0, 1), value=STRANGE)
        rows = F.pad(rows, (0, 1), value=len(anchors))
        weights = (SHARP * likeness).softmax(1)[:, :, None]
        found = F.normalize((weights * stands[rows]).sum(1), dim=-1)
        placed.update(zip(part, found, strict=True))
    placed.update(zip(captions, vectors, strict=True))
    return placed


def batched(texts: list[str], count: int) -> list[list[str]]:
    return [texts[i : i + count] for i in range(0, len(texts), count)]


class Lessons:
    """Texts of each kind and where they belong, ready to be drawn."""

    def __init__(
        self,
        placed: dict[str, Tensor],
        captions: list[str],
        usual: set[str],
        nothing: Tensor,
        tokenizer: Tokenizer,
    ) -> None:
        self.placed, self.captions, self.nothing = placed, captions, nothing
        names = [*placed.keys() - set(captions)]
        self.usual = sorted(name for name in names if name in usual)
        self.rare = sorted(name for name in names if name not in usual)
        self.tokenizer = tokenizer

    def ids(self, texts: list[str]) -> Tensor:
        return batches.padded(self.tokenizer, texts)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Half captions, half names, some of them in a phrase; and nonsense, a sixteenth."""
        parts = (self.captions, self.captions, self.usual, self.rare)
        texts = [part[i] for part in parts for i in rng.integers(len(part), size=count // 4)]
        phrases = texts[: count // 2] + [phrase(name, rng) for name in texts[count // 2 :]]
        wanted = torch.stack([self.placed[text] for text in texts])
        for i in range(0, count, 16):
            phrases[i], wanted[i] = nonsense(rng), self.nothing
        return self.ids(phrases), wanted


def nonsense(rng: np.random.Generator) -> str:
    """One to three words of random letters."""
    lengths = rng.integers(3, 9, size=rng.integers(1, 4))
    return " ".join("".join(rng.choice([*LETTERS], n)) for n in lengths)


def begin(tower: towers.TextTower, placed: dict[str, Tensor], words: dict[str, int]) -> None:
    """Every word's token stands where the word belongs; parts of words follow by least squares."""
    known = {i: placed[word] for word, i in words.items()}
    rows, wanted = torch.tensor([*known]), torch.stack([*known.values()])
    with torch.no_grad():
        tower.table.copy_(tower.table @ torch.linalg.lstsq(tower.table[rows], wanted).solution)
        tower.table[rows] = wanted
        nn.init.eye_(tower.skip.weight)
        for layer in (tower.skip.bias, tower.down.weight, tower.down.bias):
            nn.init.zeros_(layer)


def first(
    options: argparse.Namespace, placed: dict[str, Tensor], words: dict[str, int]
) -> towers.TextTower | towers.Joined:
    """The text tower to begin with."""
    if options.start:
        return towers.text_of(towers.mean_text(options.start))
    if options.halves:
        turned = torch.from_numpy(np.load(options.model / "turned.npy"))
        return towers.Joined(
            [towers.text_of(towers.mean_text([h])) for h in options.halves], turned
        )
    tower = towers.TextTower(torch.from_numpy(np.load(options.pack / "table.npy")))
    begin(tower, placed, words)
    return tower


def learn_text(
    tower: towers.TextTower | towers.Joined,
    known: Known,
    sentences: Sentences,
    lessons: Lessons,
    classes: Classes,
    twins: NDArray[np.object_],
    options: argparse.Namespace,
) -> Tensor:
    """Train the tower in place; gives the temperature's logarithm."""
    scale = nn.Parameter(torch.tensor(3.2))
    bags = [part for part in tower.modules() if isinstance(part, towers.TextTower)]
    table = [rounding.begin(bag) for bag in bags]
    rest = [p for p in tower.parameters() if p.requires_grad and all(p is not t for t in table)]
    groups = [{"params": [*rest, scale], "lr": 2e-3}, {"params": table, "lr": options.rate}]
    falling = Falling([{**group, "weight_decay": 0.0} for group in groups], options.steps)
    rng = np.random.default_rng(1)
    for step in range(options.steps):
        rows, names, phrases = known.draw(options.batch, rng)
        scaled, shown = scale.exp() * known.vectors[rows], known.classes[rows]
        ids, wanted = lessons.draw(options.batch, rng)
        pairs = [lessons.ids([*words]) for words in twins[rng.integers(len(twins), size=128)].T]
        texts, placed, kinds, one, other = towers.several(
            tower, lessons.ids(phrases), ids, classes.ids, *pairs
        )
        goal = targets(rows_of(names), sentences[names], SOFT)
        loss = contrast(scaled @ texts.T, goal)
        loss = loss + options.classes * classes.loss(scaled @ kinds.T, shown)
        apart = 1 - (placed * wanted).sum(1).mean()
        unlike = 1 - (one * other).sum(1).mean()
        falling.step(loss + options.follow * apart + options.twins * unlike)
        if step % 50 == 0:
            parts = f"loss {loss.item():.3f} apart {apart.item():.3f} twins {unlike.item():.3f}"
            print(f"text {step} {parts} scale {scale.exp().item():.1f}", flush=True)
    for bag in bags:
        rounding.end(bag)
    return scale.detach()


def distinct(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    begins = parser.add_mutually_exclusive_group()
    begins.add_argument(
        "--start", type=Path, nargs="+", help="earlier outcomes: on from their mean"
    )
    begins.add_argument(
        "--halves", type=Path, nargs=2, help="of a joined FOLDER: states with their text towers"
    )
    parser.add_argument("--guide", type=int, default=1000, help="steps of the guide")
    parser.add_argument("--steps", type=int, default=1200, help="steps of the text tower")
    parser.add_argument("--sentences", type=int, default=60_000, help="captions without pictures")
    parser.add_argument("--batch", type=int, default=768)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-3, help="of the token table")
    parser.add_argument("--follow", type=float, default=8.0, help="weight of the places of texts")
    parser.add_argument("--classes", type=float, default=1.0, help="weight of sets of classes")
    parser.add_argument("--old", type=float, default=1.0, help="weight of FOLDER's text tower")
    parser.add_argument("--twins", type=float, default=2.0, help="weight of other words")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    known = Known.read(options.pack, options.model)
    listed = json.loads((options.pack / "texts.json").read_text())
    captions = json.loads((options.pack / "sentences.json").read_text())
    captions = random.Random(1).sample(captions, min(options.sentences, len(captions)))
    labelled = zip(known.texts, known.labels, strict=True)
    labels = distinct([text for texts, label in labelled if label for text in texts])
    captions += [text for text in listed if text not in set(labels) and len(text.split()) > 3]
    captions = distinct(captions)
    words = vocabulary.whole_words(tokenizer)
    names = distinct([*labels, *words_of(captions), *listed, *words])
    templates = [template.format(label) for label in labels for template in batches.TEMPLATES]
    sentences = Sentences(distinct([*captions, *names, *templates]), options.pack / "wording")
    guide = learn_guide(known, sentences, options.guide)
    old = Pair(options.model)

    def teach(texts: list[str]) -> Tensor:
        both = guide(sentences[texts]) + options.old * torch.from_numpy(old.texts(texts))
        return F.normalize(both, dim=-1)

    nothing = -F.normalize(known.vectors.mean(0), dim=0)
    placed = places(teach, sentences, nothing, labels, captions, names)
    tower = first(options, placed, words)
    twins = np.array(listed, object)[np.load(options.pack / "pairs.npy")]
    usual = {*labels, *words_of(captions)}
    lessons = Lessons(placed, captions, usual, nothing, tokenizer)
    classes = Classes(
        batches.Texts(options.pack, options.model / "tokenizer.json"),
        batches.Pictures(options.pack),
    )
    scale = learn_text(tower, known, sentences, lessons, classes, twins, options)
    state = {f"text.{name}": value for name, value in tower.state_dict().items()}
    torch.save({**state, "scale": scale}, options.out)


if __name__ == "__main__":
    main()
