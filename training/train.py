"""Train: the two heads on features computed before, then the backbone's last blocks with them.

Symmetric cross entropy between a batch's pictures and texts. Equal texts count as one, and 15 %
of each target is spread by how alike the sentence encoder finds two texts. A sorted picture is also
told from all classes of its own source.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from backbone import unpack
from numpy.typing import NDArray
from sources import TRAIN
from torch import Tensor, nn
from torch.nn import functional as F
from towers import Model

SPREAD = 0.15  # of a target, given to like texts
MAX_SCALE = 70
MIN_CLASSES = 5  # of a source whose classes are told from each other
WARM_UP = 100  # steps
MEAN = 0.997  # how much of the mean of weights stays at each step

Sets = list[tuple[slice, Tensor, Tensor]]  # of each sorted source: rows, labels, classes' texts


class Pictures:
    """The views of one source, drawn so that rare classes come oftener than their share."""

    def __init__(self, folder: Path, name: str, kind: str, ids: dict[str, int]) -> None:
        facts = json.loads((folder / f"{name}.json").read_text())
        self.views = np.load(folder / f"{name}.{kind}.npy", mmap_mode="r")
        self.texts = [[ids[text] for text in texts] for texts in facts["texts"]]
        self.starts = np.searchsorted(facts["owners"], np.arange(len(self.texts) + 1))
        first = [texts[0] for texts in facts["texts"]]
        names = sorted(set(first))
        self.classes = np.array([ids[name] for name in names])
        self.labels = np.searchsorted(names, first)
        self.is_sorted = TRAIN[name].kind == "label" and len(names) >= MIN_CLASSES
        counts = np.bincount(self.labels)[self.labels]
        weights = 1 / np.sqrt(counts) if TRAIN[name].kind == "label" else np.ones(len(first))
        self.drawn = np.cumsum(weights) / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> tuple[NDArray, list[int], NDArray]:
        """Return views, one text of each and its class."""
        chosen = np.searchsorted(self.drawn, rng.random(count)).clip(max=len(self.texts) - 1)
        rows = rng.integers(self.starts[chosen], self.starts[chosen + 1])
        order = np.argsort(rows)  # reads a file in its order
        views = np.empty((count, *self.views.shape[1:]), self.views.dtype)
        views[order] = self.views[rows[order]]
        texts = [self.texts[i][rng.integers(len(self.texts[i]))] for i in chosen]
        return views, texts, self.labels[chosen]


class Batches:
    """A random batch of sources, by their weights, for each step."""

    def __init__(self, folder: Path, names: tuple[str, ...], kind: str) -> None:
        texts = json.loads((folder / "sentences.json").read_text())
        ids = {text: i for i, text in enumerate(texts)}
        self.sentences = torch.from_numpy(np.load(folder / "sentences.npy").astype(np.float32))
        self.sources = [Pictures(folder, name, kind, ids) for name in names]
        weights = np.array([TRAIN[name].weight for name in names])
        self.weights = weights / weights.sum()

    def draw(self, size: int, step: int) -> tuple[Tensor, Tensor, Sets]:
        """Return views, texts' numbers, and what sorted pictures are told from."""
        rng = np.random.default_rng(step)
        views, texts, sets = [], [], []
        for source, count in zip(self.sources, rng.multinomial(size, self.weights), strict=True):
            if count:
                part, numbers, labels = source.draw(count, rng)
                if source.is_sorted:
                    rows = slice(len(texts), len(texts) + count)
                    sets.append((rows, torch.tensor(labels), torch.tensor(source.classes)))
                views.append(part)
                texts += numbers
        return torch.from_numpy(np.concatenate(views)), torch.tensor(texts), sets


def compute_loss(
    model: Model, vectors: Tensor, texts: Tensor, sets: Sets, sentences: Tensor, of_classes: float
) -> Tensor:
    """Return the loss of pictures' unit vectors (n, DIMENSIONS) and their texts.

    `of_classes` is the weight of telling sorted pictures from other classes.
    """
    own = sentences[texts]
    scale = model.scale.exp()
    scores = scale * vectors @ model.words(own + 0.02 * torch.randn_like(own)).T
    same = (texts[:, None] == texts[None]).float()
    alike = F.softmax(20 * own @ own.T, 1)
    targets = (1 - SPREAD) * same / same.sum(1, keepdim=True) + SPREAD * alike
    loss = (F.cross_entropy(scores, targets) + F.cross_entropy(scores.T, targets)) / 2
    for rows, labels, classes in sets:
        told = scale * vectors[rows] @ model.words(sentences[classes]).T
        loss = loss + of_classes * len(labels) / len(texts) * F.cross_entropy(told, labels)
    return loss


@dataclass(frozen=True)
class Stage:
    """A part of training."""

    name: str
    reads: str  # what was computed before: features or views
    rates: dict[str, float]  # learning rate of each part of the model
    decay: float  # of weights
    size: int  # pictures in a batch
    of_classes: float  # weight of telling classes apart


HEADS = Stage("heads", "features", {"eyes": 1e-3, "words": 1e-3}, 0.1, 1024, 0.3)
BLOCKS = Stage("blocks", "views", {"learned": 2e-4, "eyes": 4e-4, "words": 4e-4}, 0.02, 512, 1.5)


def run(
    model: Model, stage: Stage, steps: int, state: Path, compute: Callable[[int], Tensor]
) -> dict[str, Tensor]:
    """Take the steps that are left, each on the loss of its number; saves `state` as it goes.

    Returns the mean of the model's weights, in which later steps count more.
    """
    rates = stage.rates.items()
    groups = [
        {"params": [*getattr(model, part).parameters()], "base": rate} for part, rate in rates
    ]
    groups[-1]["params"].append(model.scale)
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=stage.decay)
    mean, done = {name: value.clone() for name, value in model.state_dict().items()}, 0
    if state.exists():
        saved = torch.load(state)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        mean, done = saved["mean"], saved["done"]
    model.train()
    started = time.time()
    for step in range(done, steps):
        rate = min(1, step / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * max(rate, 0.01)
        optimizer.zero_grad()
        loss = compute(step)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.scale.data.clamp_(max=float(np.log(MAX_SCALE)))
        keep = min(MEAN, (step + 1) / (step + 11))
        for name, value in model.state_dict().items():
            mean[name].lerp_(value, 1 - keep)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            seconds = time.time() - started
            print(f"{stage.name} {step + 1}: {loss.item():.3f}, {seconds:.0f} s", flush=True)
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(saved | {"mean": mean, "done": step + 1}, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    return mean


def train_stage(
    folder: Path, names: tuple[str, ...], model: Model, stage: Stage, steps: int
) -> dict[str, Tensor]:
    """Train a stage, and return the mean of the weights."""
    batches = Batches(folder, names, stage.reads)
    if stage is HEADS:
        some = np.concatenate([source.views[::37] for source in batches.sources]).astype(np.float32)
        model.eyes.mean.copy_(torch.from_numpy(some.mean(0)))
        model.eyes.spread.copy_(torch.from_numpy(some.std(0) + 0.05))

    def compute(step: int) -> Tensor:
        views, texts, sets = batches.draw(stage.size, step)
        if stage is HEADS:
            features = views.float()
            features += 0.05 * torch.randn_like(features) * model.eyes.spread
        else:
            features = model.learned(unpack(views).to(torch.bfloat16))
        vectors = model.eyes(features)
        return compute_loss(model, vectors, texts, sets, batches.sentences, stage.of_classes)

    return run(model, stage, steps, folder / f"{stage.name}.pt", compute)


def train(folder: Path, names: tuple[str, ...], heads: int, blocks: int) -> Model:
    """Return a model after so many steps of both stages; goes on where it stopped."""
    torch.manual_seed(0)
    model = Model()
    train_stage(folder, names, model, HEADS, heads)
    model.load_state_dict(train_stage(folder, names, model, BLOCKS, blocks))
    return model.eval()
