"""Random batches from the pack, prepared ahead while earlier ones are learned."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import augment
import numpy as np
import sources
import torch
import towers
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

TEMPLATES = (
    "a photo of a {}",
    "a photo of {}",
    "a picture of a {}",
    "there is a {}",
    "a close-up of a {}",
    "a video frame of a {}",
    "the {}",
    "a {}",
)
# Sources of which every picture has captions of its own.
CAPTIONED = ("flickr8k", "coco", "stock", "web", "pexels", "frames", "pascal")


class Batch(NamedTuple):
    """Pictures with one text each."""

    pixels: Tensor  # (n, size, size, 3) uint8
    ids: Tensor  # (n, length) tokens of the texts
    rows: Tensor  # (n,) which of the distinct texts, before its template
    classes: Tensor  # (n,) which class of `Pictures.classes` each shows, -1 if none


class Texts:
    """Token ids and teacher embeddings of the distinct training texts."""

    def __init__(self, pack: Path, tokenizer: Path) -> None:
        self.texts: list[str] = json.loads((pack / "texts.json").read_text())
        self.row = {text: i for i, text in enumerate(self.texts)}
        self.teacher: NDArray[np.float16] = np.load(pack / "teacher.npy")
        self.near: NDArray[np.int32] = np.load(pack / "near.npy")  # texts most like each
        self.pairs: NDArray[np.int32] = np.load(pack / "pairs.npy")  # words for one thing
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(48)

    def ids(self, texts: list[str]) -> Tensor:
        return padded(self.tokenizer, texts)


def padded(tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """(n, longest) token ids of the texts, 0 where there is none."""
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    rows = [e.ids or [towers.NO_TEXT] for e in encoded]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return torch.from_numpy(ids)


class Pictures:
    """Every source's array, memory-mapped, with its texts."""

    def __init__(self, pack: Path) -> None:
        self.kinds = {name: kind for name, (_, _, kind, _) in sources.TRAIN.items()}
        self.shares = {name: share for name, (_, _, _, share) in sources.TRAIN.items()}
        self.pixels = {n: np.load(pack / f"{n}.npy", mmap_mode="r") for n in self.kinds}
        self.texts = {n: json.loads((pack / f"{n}.json").read_text())["texts"] for n in self.kinds}
        # (source, name, ...) of each class, in the order of their first picture
        rows = {n: [(n, *texts) for texts in self.texts[n]] for n in self.kinds if self.sorts(n)}
        self.classes = list(dict.fromkeys(row for source in rows.values() for row in source))
        number = {row: i for i, row in enumerate(self.classes)}
        self.shown = {n: [number[row] for row in rows[n]] for n in rows}
        self.chances = {n: self._chances(n) for n in self.kinds}

    def _chances(self, source: str) -> NDArray[np.float64]:
        """How often each picture is drawn: classes alike, whether of 30 pictures or of 800."""
        classes = self.shown.get(source, range(len(self.texts[source])))
        _, number, sizes = np.unique(classes, return_inverse=True, return_counts=True)
        return 1 / sizes[number] / len(sizes)

    def sorts(self, source: str) -> bool:
        """Whether a source's pictures are of classes that exclude each other, or each its own."""
        return source in CAPTIONED or (self.kinds[source] == "label" and source != "small")

    def class_of(self, source: str, i: int) -> int:
        """Which of `classes` a picture shows, -1 if none."""
        return self.shown[source][i] if source in self.shown else -1

    def draw(self, count: int, rng: np.random.Generator) -> list[tuple[str, int]]:
        """Sources by their share, distinct pictures within each."""
        shares = np.array(list(self.shares.values()))
        counts = rng.multinomial(count, shares / shares.sum())
        return [
            (name, int(i))
            for name, n in zip(self.shares, counts, strict=True)
            for i in rng.choice(len(self.texts[name]), n, replace=False, p=self.chances[name])
        ]

    def view(
        self, source: str, i: int, size: int, degrade: bool, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """A picture as it is trained on: (size, size, 3)."""
        smallest = 0.4 if source in CAPTIONED else 0.35
        return augment.frame(self.pixels[source][i], size, smallest, degrade, rng)

    def said(self, source: str, i: int, rng: np.random.Generator) -> tuple[str, str]:
        """One of a picture's names, and that name in a phrase."""
        kind = self.kinds[source]
        name = name_of(self.texts[source][i], kind, rng)
        if kind == "caption":
            return name, thinned(name, rng)
        if rng.random() < 0.5:
            return name, name
        return name, TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(name)

    def some(self, count: int, seed: int) -> list[Image.Image]:
        """Pictures as they are stored, drawn as for a batch."""
        drawn = self.draw(count, np.random.default_rng(seed))
        return [Image.fromarray(self.pixels[source][i]) for source, i in drawn]


def name_of(texts: list[str], kind: str, rng: np.random.Generator) -> str:
    """One of a picture's texts: any caption, or the class's own name half of the time."""
    if kind == "label" and rng.random() < 0.5:
        return texts[0]
    return texts[int(rng.integers(len(texts)))]


def thinned(caption: str, rng: np.random.Generator) -> str:
    """The caption, half of the time without about a third of its words, as queries are."""
    words = caption.split()
    if rng.random() < 0.5:
        return caption
    kept = [word for word in words if rng.random() > 0.35]
    return " ".join(kept or words)


class Batches(Dataset[Batch]):
    """The batch of each step: always the same one for the same seed and number."""

    def __init__(
        self, pack: Path, texts: Texts, count: int, size: int, degrade: bool, seed: int
    ) -> None:
        self.pictures, self.texts = Pictures(pack), texts
        self.count, self.size, self.degrade, self.seed = count, size, degrade, seed

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        drawn = self.pictures.draw(self.count, rng)
        known, size, degrade = self.pictures, self.size, self.degrade
        shown = [(known.view(*d, size, degrade, rng), *known.said(*d, rng)) for d in drawn]
        views, names, phrases = zip(*shown, strict=True)
        rows = [self.texts.row[name] for name in names]
        pixels = torch.from_numpy(np.stack(views))
        classes = torch.tensor([known.class_of(*d) for d in drawn])
        return Batch(pixels, self.texts.ids(list(phrases)), torch.tensor(rows), classes)


def stream(batches: Batches, first: int, processes: int) -> Iterator[Batch]:
    """Endless batches from step `first`, prepared ahead by other processes."""
    steps = range(first, first + 10_000_000)
    loader = DataLoader(
        batches, batch_size=None, sampler=steps, num_workers=processes, prefetch_factor=4
    )
    return iter(loader)
