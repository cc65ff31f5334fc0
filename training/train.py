"""Train: two heads on features computed before, then the last layers of both towers with them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from backbone import unpack
from lexicon import Lexicon, ask
from numpy.typing import NDArray
from sources import TRAIN
from torch import Tensor, nn
from torch.nn import functional as F
from towers import Model, encode_sentences, tokenize

SPREAD = 0.15  # of a target, given to like texts
MAX_SCALE = 70
MIN_CLASSES = 5  # of a source whose classes are told from each other
WARM_UP = 100  # steps
MEAN = 0.997  # how much of the mean of weights stays at each step
NOISE = 0.02  # added to sentence vectors
OF_ORDERS = 0.5  # weight of telling a caption from itself in another order
OF_PAIRS = 0.6  # weight of bringing words for one thing together
OF_NOUNS = 0.2  # weight of finding all pictures of whose captions one has a noun
KINDS = ("caption", "label")  # of sources
OF_ONE = 0.7  # share of a batch that is from one source with captions

Loss = Callable[[int], Tensor]  # of a step, by its number
Texts = list[list[int]]  # numbers of all texts of each picture
Sets = list[tuple[slice, Tensor, Tensor]]  # of each sorted source: rows, labels, classes


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
        self.weights = weights / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> tuple[NDArray, Texts, NDArray]:
        """Return views of so many pictures, or of all, with all texts of each and its class."""
        count = min(count, len(self.texts))
        chosen = rng.choice(len(self.texts), count, replace=False, p=self.weights)
        rows = rng.integers(self.starts[chosen], self.starts[chosen + 1])
        return self.views[rows], [self.texts[i] for i in chosen], self.labels[chosen]


class Batches:
    """Batches of one source with captions, so that what is alike is told apart, and sorted ones."""

    def __init__(self, folder: Path, names: tuple[str, ...], kind: str) -> None:
        self.texts = json.loads((folder / "sentences.json").read_text())
        ids = {text: i for i, text in enumerate(self.texts)}
        self.sentences = torch.from_numpy(np.load(folder / "sentences.npy").astype(np.float32))
        self.sources = [Pictures(folder, name, kind, ids) for name in names]
        parts = [TRAIN[name] for name in names]
        weights = [[part.weight * (part.kind == kind) for part in parts] for kind in KINDS]
        self.captioned, self.sorted = np.divide(weights, np.sum(weights, 1, keepdims=True))

    def draw(self, size: int, step: int) -> tuple[Tensor, Texts, Tensor, Sets]:
        """Return views, the numbers of all texts of each and of one, and sorted pictures' sets."""
        rng = np.random.default_rng(step)
        views, sets = [], []
        texts: Texts = []
        counts = rng.multinomial(round(size * (1 - OF_ONE)), self.sorted)
        counts[rng.choice(len(counts), p=self.captioned)] = round(size * OF_ONE)
        for source, count in zip(self.sources, counts, strict=True):
            if count:
                part, captions, labels = source.draw(count, rng)
                if source.is_sorted:
                    rows = slice(len(texts), len(texts) + len(captions))
                    sets.append((rows, torch.tensor(labels), torch.tensor(source.classes)))
                views.append(part)
                texts += captions
        chosen = torch.tensor([row[rng.integers(len(row))] for row in texts])
        return torch.from_numpy(np.concatenate(views)), texts, chosen, sets

    def spread(self, texts: Tensor) -> Tensor:
        """Return how much of each text belongs to each picture, by equal and like texts: (n, n)."""
        same = (texts[:, None] == texts[None]).float()
        vectors = self.sentences[texts]
        alike = F.softmax(20 * vectors @ vectors.T, 1)
        return (1 - SPREAD) * same / same.sum(1, keepdim=True) + SPREAD * alike


def compute_loss(
    model: Model, pictures: Tensor, texts: Tensor, changed: Tensor, rows: list[int], targets: Tensor
) -> Tensor:
    """Return the loss of pictures' and their texts' unit vectors, (n, DIMENSIONS) both.

    `changed` are texts of `rows` in another order; `targets` (n, n) each text's share of a picture.
    """
    scale = model.scale.exp()
    of_pictures = scale * pictures @ torch.cat([texts, changed]).T
    of_texts = F.cross_entropy(scale * texts @ pictures.T, targets)
    loss = (F.cross_entropy(of_pictures, F.pad(targets, (0, len(changed)))) + of_texts) / 2
    apart = (pictures[rows] * (texts[rows] - changed)).sum(1)
    return loss + OF_ORDERS * F.softplus(-scale * apart).sum() / max(1, len(rows))


def compute_class_loss(model: Model, vectors: Tensor, sets: Sets) -> Tensor:
    """Return the loss of telling sorted pictures from their source's classes, over all pictures."""
    loss = torch.tensor(0.0)
    for rows, labels, classes in sets:
        of_set = F.cross_entropy(model.scale.exp() * vectors[rows] @ classes.T, labels)
        loss = loss + len(labels) / len(vectors) * of_set
    return loss


def compute_noun_loss(model: Model, vectors: Tensor, nouns: Tensor, right: Tensor) -> Tensor:
    """Return the loss of nouns' vectors, of which `right` (nouns, n) tells each one's pictures."""
    shares = F.log_softmax(model.scale.exp() * nouns @ vectors.T, 1)
    return -((right * shares).sum(1) / right.sum(1)).sum() / max(1, len(nouns))


@dataclass(frozen=True)
class Stage:
    name: str
    rates: dict[str, float]  # learning rate of each part of the model
    decay: float  # of weights
    size: int  # pictures in a batch
    of_classes: float  # weight of telling classes apart


HEADS = Stage("heads", {"eyes": 1e-3, "words": 1e-3}, 0.1, 1024, 0.3)
RATES = {"learned": 2e-4, "sentences": 3e-5, "eyes": 4e-4, "words": 4e-4}
BLOCKS = Stage("blocks", RATES, 0.02, 512, 1.5)


def run(model: Model, stage: Stage, steps: int, folder: Path, compute: Loss) -> dict[str, Tensor]:
    """Take the steps that are left, saving the state at times; return the mean of the weights."""
    state = folder / f"{stage.name}.pt"
    parts = [([*getattr(model, part).parameters()], rate) for part, rate in stage.rates.items()]
    parts[-1][0].append(model.scale)
    groups = [{"params": weights, "base": rate} for weights, rate in parts]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=stage.decay)
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    done = 0
    if state.exists():
        saved = torch.load(state)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        mean = saved["mean"]
        done = saved["done"]
    model.train()
    started = time.time()
    for step in range(done, steps):
        rate = min(1, step / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * max(rate, 0.01)
        optimizer.zero_grad()
        torch.manual_seed(step)  # what is random does not depend on where training stopped
        loss = compute(step)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.scale.data.clamp_(max=float(np.log(MAX_SCALE)))
        keep = min(MEAN, (step + 1) / (step + 11))
        for name, value in model.state_dict().items():
            mean[name].lerp_(value, 1 - keep)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            print(stage.name, step + 1, loss.item(), f"{time.time() - started:.0f} s", flush=True)
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(saved | {"mean": mean, "done": step + 1}, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    return mean


def blur(model: Model, sentences: Tensor) -> Tensor:
    """Return the vectors (n, DIMENSIONS) of sentences that were varied a little."""
    return model.words(sentences + NOISE * torch.randn_like(sentences))


def on_features(batches: Batches, model: Model) -> Loss:
    """Return the loss of a step on features."""
    sample = np.concatenate([source.views[::37] for source in batches.sources]).astype(np.float32)
    model.eyes.mean.copy_(torch.from_numpy(sample.mean(0)))
    model.eyes.spread.copy_(torch.from_numpy(sample.std(0) + 0.05))

    def compute(step: int) -> Tensor:
        views, _, chosen, sets = batches.draw(HEADS.size, step)
        features = views.float() + 0.05 * torch.randn(views.shape) * model.eyes.spread
        pictures = model.eyes(features)
        texts = blur(model, batches.sentences[chosen])
        sets = [(*rest, model.words(batches.sentences[ids])) for *rest, ids in sets]
        loss = compute_loss(model, pictures, texts, texts[:0], [], batches.spread(chosen))
        return loss + HEADS.of_classes * compute_class_loss(model, pictures, sets)

    return compute


def on_views(batches: Batches, model: Model, lexicon: Lexicon) -> Loss:
    """Return the loss of a step on views, with other orders, other words and single nouns."""
    tokens = tokenize(batches.texts)

    def compute(step: int) -> Tensor:
        views, captions, chosen, sets = batches.draw(BLOCKS.size, step)
        captions = [" ".join(batches.texts[i] for i in row) for row in captions]
        pictures = model.eyes(model.learned(unpack(views).to(torch.bfloat16)))
        rows, orders = lexicon.draw_orders(chosen.tolist())
        rng = np.random.default_rng(step)
        pairs = lexicon.draw_pairs(rng)
        nouns, right = lexicon.draw_nouns(captions, rng)
        half = len(pairs) // 2
        parts = ([tokens[i] for i in chosen], orders, pairs[:half], pairs[half:], nouns)
        sentences = encode_sentences(model.sentences, [ids for part in parts for ids in part])
        texts, changed, rare, common, asked = blur(model, sentences).split([*map(len, parts)])
        with torch.no_grad():  # classes are learned in the head alone: they are many
            names = [ask([batches.texts[i] for i in ids], rng) for *_, ids in sets]
            classes = [encode_sentences(model.sentences, part) for part in names]
        sets = [(*part[:2], model.words(read)) for part, read in zip(sets, classes, strict=True)]
        loss = compute_loss(model, pictures, texts, changed, rows, batches.spread(chosen))
        loss = loss + BLOCKS.of_classes * compute_class_loss(model, pictures, sets)
        loss = loss + OF_NOUNS * compute_noun_loss(model, pictures, asked, right)
        # The rare word goes where pictures have put the common one, which hardly moves.
        moves = (rare * common.detach()).sum(1) + 0.05 * (rare.detach() * common).sum(1)
        return loss + OF_PAIRS * (1.05 - moves).mean()

    return compute


def train(folder: Path, names: tuple[str, ...], heads: int, blocks: int) -> Model:
    """Return a model after so many steps of both stages; goes on where it stopped."""
    torch.manual_seed(0)
    model = Model()
    run(model, HEADS, heads, folder, on_features(Batches(folder, names, "features"), model))
    views = on_views(Batches(folder, names, "views"), model, Lexicon(folder))
    model.load_state_dict(run(model, BLOCKS, blocks, folder, views))
    return model.eval()
