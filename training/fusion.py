"""A common end for joined networks: blocks on what both see, while they stay as they are.

    python training/fusion.py --pack PACK --model BOTH --words words.pt --views VIEWS --out RUN

BOTH is a model that `join.py` has made, `words.pt` its text tower. What its networks make of a
picture before their last block is kept in VIEWS, of `--count` training views; then blocks are
trained on that, whose vector is added to the joined one: what neither network finds alone. The
vectors of tokens learn with them. Nothing goes back through the networks, so that a view costs a
quarter of what it costs to train one of them. Flickr8k's pictures have no part in it: the networks
know their captions by heart, and what is learned of these does not hold for others. `--start RUN`
goes on from an earlier outcome.
`export.py --image BOTH --fusion RUN/fusion.pt --words RUN/words.pt` takes the outcome.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import augment
import batches
import numpy as np
import onnx
import rounding
import sources
import torch
import towers
from classes import Classes
from evaluate import Pair, session
from losses import targets
from muon import Muon
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.utils.data import DataLoader, Dataset

AT_ONCE = 256  # views
RISE = 50  # steps
PART = 0.5  # of what was learned, that is added in the end: all of it costs captions
SOFT = 0.2  # share of the soft targets
BY_HEART = "flickr8k"  # whose captions the networks know
MIX = 0.4  # how often two pictures have nearly equal parts in one


class Trunk:
    """A joined image tower of integers: what its networks see before their last block."""

    def __init__(self, file: Path) -> None:
        model = onnx.load(file)
        graph = model.graph
        constants = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
        rounds = {n.input[0]: n for n in graph.node if n.op_type == "QuantizeLinear"}
        # A block that halves the picture's side averages for its shortcut, the last one as well.
        halves = [node.input[0] for node in graph.node if node.op_type == "AveragePool"]
        self.ends = list({name.split("_")[0]: name for name in halves}.values())
        chosen = [rounds[end] for end in self.ends]
        self.scales = [constants[node.input[1]].item() for node in chosen]
        names = [node.output[0] for node in chosen]
        graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
        self.names = [*names, "embeddings"]
        self.session = session(model.SerializeToString())

    def see(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(n, channels, s, s) in steps of `scales`, and (n, dimensions) unit vectors."""
        *seen, vectors = self.session.run(self.names, {"pixels": pixels})
        return np.concatenate(seen, axis=1), vectors

    def fractions(self, maps: NDArray[np.uint8]) -> Tensor:
        """The same in floating point."""
        channels = maps.shape[1] // len(self.scales)
        scales = torch.tensor(self.scales).repeat_interleave(channels)[:, None, None]
        return (torch.from_numpy(maps) * scales).contiguous(memory_format=torch.channels_last)


class Views(Dataset[tuple[Tensor, list[tuple[str, int]]]]):
    """Views of training pictures, drawn as in training, and which picture each is of."""

    def __init__(self, pictures: batches.Pictures, size: int) -> None:
        self.pictures, self.size = pictures, size

    def __getitem__(self, step: int) -> tuple[Tensor, list[tuple[str, int]]]:
        rng = np.random.default_rng([77, step])
        torch.manual_seed(step)
        drawn = self.pictures.draw(AT_ONCE, rng)
        views = np.stack([self.pictures.view(*d, self.size, True, rng) for d in drawn])
        coloured = augment.colours(torch.from_numpy(views).permute(0, 3, 1, 2).float())
        return coloured.round().byte().permute(0, 2, 3, 1).contiguous(), drawn


def look(
    trunk: Trunk,
    pictures: batches.Pictures,
    folder: Path,
    count: int,
    size: int,
    loaders: int = 1,
) -> None:
    """Keep what the trunk sees of so many views; goes on where it stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "drawn.jsonl"
    known = len(listed.read_text().splitlines()) if listed.exists() else 0
    steps = range(known, count // AT_ONCE)
    views = Views(pictures, size)
    loader = DataLoader(views, batch_size=None, sampler=steps, num_workers=loaders)
    began = time.perf_counter()
    for step, (pixels, drawn) in zip(steps, loader, strict=True):
        maps, joined = trunk.see(pixels.numpy())
        for name, rows in (("seen", maps), ("joined", joined.astype(np.float16))):
            with (folder / name).open("r+b" if step else "wb") as file:
                file.seek(step * rows.nbytes)
                file.write(rows.tobytes())
        with listed.open("a") as file:
            file.write(json.dumps(drawn) + "\n")
        if step % 40 == 39:
            speed = (step + 1 - known) * AT_ONCE / (time.perf_counter() - began)
            print(f"{step + 1} of {steps.stop} batches, {speed:.0f} views/s", flush=True)


@dataclass(frozen=True)
class Seen:
    """What was kept of the views."""

    maps: NDArray[np.uint8]  # (n, channels, s, s)
    joined: NDArray[np.float16]  # (n, dimensions)
    drawn: list[tuple[str, int]]  # source and number of each picture

    @classmethod
    def read(cls, folder: Path, trunk: Trunk, size: int) -> "Seen":
        lines = (folder / "drawn.jsonl").read_text().splitlines()
        drawn = [(name, i) for line in lines for name, i in json.loads(line)]
        maps, vectors = trunk.see(np.zeros((1, size, size, 3), np.uint8))
        parts = (("seen", np.uint8, maps), ("joined", np.float16, vectors))
        kept = [
            np.memmap(folder / name, kind, "r", shape=(len(drawn), *one.shape[1:]))
            for name, kind, one in parts
        ]
        return cls(*kept, drawn)

    def rows(self, count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """So many at a time, of each source its share, each once before any of it comes again.

        None of what is known by heart.
        """
        kept: dict[str, list[int]] = {}
        for row, (name, _) in enumerate(self.drawn):
            if name != BY_HEART:
                kept.setdefault(name, []).append(row)
        chances = np.array([sources.TRAIN[name][3] for name in kept])
        endless = [_endless(np.array(rows), rng) for rows in kept.values()]
        while True:
            counts = rng.multinomial(count, chances / chances.sum())
            drawn = [itertools.islice(rows, n) for rows, n in zip(endless, counts, strict=True)]
            yield np.sort(np.fromiter(itertools.chain(*drawn), np.int64))


def _endless(rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[int]:
    """All of them in some order, and then in another."""
    while True:
        yield from rng.permutation(rows).tolist()


class Lessons:
    """What is said of pictures, as the text tower puts it."""

    def __init__(self, texts: batches.Texts, pictures: batches.Pictures, tower: nn.Module) -> None:
        self.texts, self.pictures, self.tower = texts, pictures, tower
        self.classes = Classes(texts, pictures)
        self.teacher = torch.from_numpy(texts.teacher)

    def goals(
        self, drawn: list[tuple[str, int]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Texts of pictures, how much each shows of every text, names, and which each is of."""
        said = [self.pictures.said(*d, rng) for d in drawn]
        rows = torch.tensor([self.texts.row[name] for name, _ in said])
        classes = torch.tensor([self.pictures.class_of(*d) for d in drawn])
        ids = self.texts.ids([phrase for _, phrase in said])
        with parametrize.cached():  # rounded once
            texts, names = self.tower(ids), self.tower(self.classes.ids)
        return texts, targets(rows, self.teacher[rows].float(), SOFT), names, classes

    def losses(
        self,
        fusion: towers.Fusion,
        temperature: Tensor,
        maps: Tensor,
        joined: Tensor,
        drawn: list[tuple[str, int]],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """By contrast, and by classes and words.

        Every picture is two in one, of which the first shows the more ("manifold mixup", Verma et
        al. 2019).
        """
        texts, goal, names, classes = self.goals(drawn, rng)
        others, share = rng.permutation(len(drawn)), rng.beta(MIX, MIX)
        part = max(share, 1 - share)
        joined, maps, goal = (part * x + (1 - part) * x[others] for x in (joined, maps, goal))
        scaled = temperature * fusion(maps, F.normalize(joined, dim=1))
        lost = -(goal * (scaled @ texts.T).log_softmax(1)).sum(1).mean()
        logits = scaled @ names.T
        told = part * self.classes.loss(logits, classes)
        told = told + (1 - part) * self.classes.loss(logits, classes[others])
        return lost, told


def learn(
    fusion: towers.Fusion,
    trunk: Trunk,
    seen: Seen,
    lessons: Lessons,
    scale: float,
    options: argparse.Namespace,
) -> Tensor:
    """Train in place, from the temperature `scale`; gives its logarithm. Rates rise and fall."""
    temperature = nn.Parameter(torch.tensor(math.log(scale)))
    flat = [p for p in fusion.parameters() if p.ndim <= 1]
    matrices = [p for p in fusion.parameters() if p.ndim > 1]
    bags = [part for part in lessons.tower.modules() if isinstance(part, towers.TextTower)]
    lessons.tower.requires_grad_(False)
    tables = [rounding.begin(bag).requires_grad_() for bag in bags]
    optimizers: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.AdamW([*flat, temperature], weight_decay=0.0), options.rate),
        (torch.optim.AdamW(tables, weight_decay=0.0), options.words_rate),
        (Muon(matrices, lr=options.rate, decay=options.decay), options.rate),
    ]
    rng, losses, began = np.random.default_rng(0), [], time.perf_counter()
    for step, rows in zip(range(1, options.steps + 1), seen.rows(options.batch, rng), strict=False):
        left = (options.steps + 1 - step) / (options.cool * options.steps)
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * min(1.0, step / RISE, left)
            optimizer.zero_grad()
        joined, maps = torch.from_numpy(seen.joined[rows]).float(), trunk.fractions(seen.maps[rows])
        drawn, sharp = [seen.drawn[row] for row in rows], temperature.exp().clamp(max=60)
        lost, told = lessons.losses(fusion, sharp, maps, joined, drawn, rng)
        (lost + told).backward()
        for optimizer, _ in optimizers:
            optimizer.step()
        losses.append((lost.item(), told.item()))
        if step % 50 == 0:
            loss, classes = np.mean(losses[-50:], axis=0)
            speed = step * options.batch / (time.perf_counter() - began)
            print(f"step {step} loss {loss:.3f} classes {classes:.3f} {speed:.0f}/s", flush=True)
    for bag in bags:
        rounding.end(bag)
    return temperature.detach()


@torch.no_grad()
def weigh(fusion: towers.Fusion, part: float) -> None:
    """Have it add that much of what it adds."""
    for learned in fusion.head.parameters():
        learned.mul_(part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--views", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="an earlier RUN, whose words come with it")
    parser.add_argument("--count", type=int, default=120_000, help="views to keep")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--words-rate", type=float, default=3e-4, help="of the token tables")
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--cool", type=float, default=0.6, help="part of the steps")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loaders", type=int, default=1, help="processes that prepare views")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    pair, pictures = Pair(options.model), batches.Pictures(options.pack)
    trunk = Trunk(options.model / pair.manifest["image"]["file"])
    look(trunk, pictures, options.views, options.count, pair.size, options.loaders)
    seen = Seen.read(options.views, trunk, pair.size)
    texts = batches.Texts(options.pack, options.model / "tokenizer.json")
    words = options.start / "words.pt" if options.start else options.words
    tower = towers.text_of(towers.mean_text([words])).eval()
    channels, dimensions = seen.maps.shape[1], seen.joined.shape[1]
    fusion = towers.Fusion(channels, options.width, options.blocks, dimensions)
    if options.start:
        fusion = towers.fusion_of(torch.load(options.start / "fusion.pt", weights_only=True))
        weigh(fusion, 1 / PART)
    fusion.to(memory_format=torch.channels_last)
    lessons = Lessons(texts, pictures, tower)
    scale = learn(fusion, trunk, seen, lessons, pair.manifest["scale"], options)
    weigh(fusion, PART)
    options.out.mkdir(parents=True, exist_ok=True)
    learned = {f"text.{name}": value for name, value in tower.state_dict().items()}
    torch.save({**learned, "scale": scale}, options.out / "words.pt")
    torch.save(
        {"model": fusion.state_dict(), "channels": channels, "width": options.width}
        | {"blocks": options.blocks, "dimensions": dimensions},
        options.out / "fusion.pt",
    )


if __name__ == "__main__":
    main()
