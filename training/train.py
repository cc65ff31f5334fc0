"""Train the two towers of `mini` on packed pictures; any run can be stopped and goes on.

    python training/train.py --pack PACK --tokenizer tokenizer.json --out RUN \
        --phases 64:25 96:10 112:15 --cool 20

Each phase is SIZE:MINUTES. On a CPU these are minutes that its cores worked on steps, so a process
that was paused, or had to wait for others, loses none.
On a GPU add `--device cuda --threads 1 --piece 4096 --loaders 14`.
The learning rate is constant after a short rise and falls to zero over the last `--cool`
minutes. `hot.pt` is the state just before it falls: start from it (`--start`) to train longer.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import augment
import batches
import numpy as np
import torch
import towers
from classes import Classes
from losses import contrast, resemble, targets
from muon import Muon
from precision import mixed
from torch import Tensor, nn

T = TypeVar("T")
SAVE_EVERY = 120.0  # seconds of steps


@dataclass(frozen=True)
class Plan:
    """Which size and learning rate belong to which second of training."""

    phases: tuple[tuple[int, float], ...]  # size, seconds
    cool: float  # seconds
    rise: float = 40.0  # seconds

    @property
    def length(self) -> float:
        return sum(seconds for _, seconds in self.phases)

    def size(self, spent: float) -> int:
        for size, seconds in self.phases:
            if spent < seconds:
                return size
            spent -= seconds
        return self.phases[-1][0]

    def rate(self, spent: float) -> float:
        up = min(1.0, (spent + 1) / self.rise)
        return up * max(0.0, min(1.0, (self.length - spent) / self.cool))


class Model(nn.Module):
    """Both towers and the learned temperature."""

    def __init__(self, table: Tensor, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.image = towers.ImageTower(widths, blocks, table.shape[1])
        self.text = towers.TextTower(table)
        self.scale = nn.Parameter(torch.tensor(math.log(14.0)))
        self.to(memory_format=torch.channels_last)

    def temperature(self) -> Tensor:
        return self.scale.exp().clamp(max=60)


def optimizers(model: Model, rate: float, decay: float, parts: int) -> list[torch.optim.Optimizer]:
    """Muon for convolutions and matrices (in `parts`), Adam for vectors and the token table."""
    table = [model.text.table, model.text.weight]
    known = {id(p) for p in table}
    matrices = [p for p in model.parameters() if p.ndim > 1 and id(p) not in known]
    vectors = [p for p in model.parameters() if p.ndim <= 1 and id(p) not in known]
    groups = [{"params": vectors, "lr": rate}, {"params": table, "lr": rate / 2}]
    adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    matrices.sort(key=Tensor.numel)
    muons = [Muon(matrices[i::parts], lr=rate, decay=decay) for i in range(parts)]
    return [adam, *muons]


class Workers:
    """Threads that each take slices of a batch through the image tower, forward and back.

    PyTorch's own threads meet after every small operation, and on shared cores mostly wait for
    each other; these meet once a step. Batch normalisation sees a slice at a time.
    """

    def __init__(self, model: Model, count: int, piece: int) -> None:
        self.model, self.piece = model, piece
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def map(self, work: Callable[..., T], *items: Iterable[object]) -> list[T]:
        return list(self.pool.map(work, *items))

    def _forward(self, pixels: Tensor) -> Tensor:
        with mixed(pixels.device.type):
            return self.model.image(augment.normalise(pixels))

    def learn(self, pixels: Tensor, loss_of: Callable[[Tensor], Tensor]) -> None:
        """Add the gradients of `loss_of(embeddings)`."""
        outputs = self.map(self._forward, pixels.split(self.piece))
        joined = torch.cat([o.detach() for o in outputs]).requires_grad_()
        loss_of(joined).backward()
        assert joined.grad is not None
        self.map(Tensor.backward, outputs, joined.grad.split(self.piece))


class Run:
    """One training run: state in `out`/last.pt, log in `out`/log.txt."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out
        self.out.mkdir(parents=True, exist_ok=True)
        phases = [phase.split(":") for phase in options.phases]
        seconds = tuple((int(size), 60 * float(minutes)) for size, minutes in phases)
        self.plan = Plan(seconds, 60 * options.cool)
        self.texts = batches.Texts(options.pack, options.tokenizer)
        self.device = torch.device(options.device)
        self.classes = Classes(self.texts, batches.Pictures(options.pack))
        self.kinds = self.classes.ids.to(self.device)
        self.teacher = torch.from_numpy(self.texts.teacher).to(self.device)
        table = torch.from_numpy(np.load(options.pack / "table.npy"))
        self.model = Model(table, tuple(options.widths), tuple(options.blocks)).to(self.device)
        self.optimizers = optimizers(self.model, options.rate, options.decay, options.threads)
        self.workers = Workers(self.model, options.threads, options.piece)
        self.bases = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        self.spent, self.step, self.seen = 0.0, 0, 0
        last = self.out / "last.pt"
        if last.exists():
            self.load(last, fresh=False)
        elif options.start:
            self.load(options.start, fresh=True)

    def load(self, path: Path, fresh: bool) -> None:
        """Go on from a state; `fresh` starts the plan anew with those weights."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state.get("optimizers", ()), strict=False):
            optimizer.load_state_dict(saved)  # `restore.py` has none
        self.step, self.seen = state["step"], state["seen"]
        self.spent = 0.0 if fresh else state["spent"]

    def save(self, name: str) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "spent": self.spent,
            "step": self.step,
            "seen": self.seen,
            "widths": list(self.options.widths),
            "blocks": list(self.options.blocks),
        }
        torch.save(state, self.out / "saving")
        (self.out / "saving").replace(self.out / name)

    def learn(self, batch: batches.Batch) -> list[float]:
        """One step; what it lost by contrast, by classes and by the text teacher."""
        rate = self.plan.rate(self.spent)
        for optimizer, bases in zip(self.optimizers, self.bases, strict=True):
            for group, base in zip(optimizer.param_groups, bases, strict=True):
                group["lr"] = base * rate
        goal = targets(batch.rows, self.teacher[batch.rows].float(), self.options.soft)
        ids, teacher = self.sentences()
        one, other = self.synonyms()
        report: list[float] = []

        def loss_of(pictures: Tensor) -> Tensor:
            texts, names, near, left, right = towers.several(
                self.model.text, batch.ids, self.kinds, ids, one, other
            )
            scaled = self.model.temperature() * pictures
            loss = contrast(scaled @ texts.T, goal)
            shown = self.classes.loss(scaled @ names.T, batch.classes)
            apart = resemble(near, teacher)
            report.extend((loss.item(), shown.item(), apart.item()))
            loss = loss + self.options.classes * shown + self.options.resemble * apart
            return loss + self.options.synonyms * (1 - (left * right).sum(1).mean())

        self.model.zero_grad(set_to_none=True)
        self.workers.learn(batch.pixels, loss_of)
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.workers.map(lambda optimizer: optimizer.step(), self.optimizers)
        return report

    def sentences(self, count: int = 128) -> tuple[Tensor, Tensor]:
        """Ids and teacher embeddings of texts that need no picture, each with one that is near."""
        rng = np.random.default_rng(10_000_000 + self.step)
        rows = rng.choice(len(self.texts.texts), count, replace=False)
        near = self.texts.near[rows, rng.integers(self.texts.near.shape[1], size=count)]
        rows = np.concatenate([rows, near])
        ids = self.texts.ids([self.texts.texts[i] for i in rows])
        return ids.to(self.device), self.teacher[torch.from_numpy(rows)].float()

    def synonyms(self, count: int = 128) -> tuple[Tensor, Tensor]:
        """Ids of words and of other words for the same things."""
        rng = np.random.default_rng(20_000_000 + self.step)
        pairs = self.texts.pairs[rng.integers(len(self.texts.pairs), size=count)]
        one, other = (self.texts.ids([self.texts.texts[i] for i in rows]) for rows in pairs.T)
        return one.to(self.device), other.to(self.device)

    def batches(self, size: int) -> Iterator[batches.Batch]:
        options = self.options
        drawn = batches.Batches(
            options.pack, self.texts, options.batch, size, options.degrade, options.seed
        )
        for batch in batches.stream(drawn, self.step, options.loaders):
            yield batches.Batch(*(part.to(self.device, non_blocking=True) for part in batch))

    def log(self, line: str) -> None:
        print(line, flush=True)
        with (self.out / "log.txt").open("a") as file:
            file.write(line + "\n")

    def clock(self) -> Callable[[], float]:
        """Seconds that went into steps."""
        if self.device.type == "cpu":
            return lambda: time.process_time() / self.options.threads
        return time.perf_counter

    def train(self) -> None:
        size, stream = 0, iter(())
        losses: list[list[float]] = []
        saved, hot, usual = self.spent, self.spent >= self.plan.length - self.plan.cool, 5.0
        clock = self.clock()
        while self.spent < self.plan.length:
            if size != self.plan.size(self.spent):
                size = self.plan.size(self.spent)
                stream = self.batches(size)
            started = clock()
            losses.append(self.learn(next(stream)))
            took = clock() - started
            usual = 0.9 * usual + 0.1 * took
            self.spent += took
            self.step += 1
            self.seen += self.options.batch
            if self.step % 20 == 0:
                loss, shown, apart = np.mean(losses, axis=0)
                scale = self.model.temperature().item()
                self.log(
                    f"step {self.step} {self.spent / 60:.1f} min size {size} loss {loss:.3f} "
                    f"classes {shown:.3f} text {apart:.3f} scale {scale:.1f} seen {self.seen} "
                    f"{self.options.batch / usual:.0f}/s"
                )
                losses = []
            if not hot and self.spent >= self.plan.length - self.plan.cool:
                hot = True
                self.save("hot.pt")
            if self.spent - saved > SAVE_EVERY:
                saved = self.spent
                self.save("last.pt")
        self.save("last.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--phases", nargs="+", default=["64:25", "96:10", "112:15"])
    parser.add_argument("--cool", type=float, default=20.0, help="minutes of falling rate")
    parser.add_argument("--start", type=Path, help="a state to begin from, such as hot.pt")
    parser.add_argument("--batch", type=int, default=384)
    parser.add_argument("--piece", type=int, default=96, help="pictures a thread takes at a time")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--soft", type=float, default=0.2, help="share of the soft targets")
    parser.add_argument("--classes", type=float, default=1.0, help="weight of sets of classes")
    parser.add_argument("--resemble", type=float, default=1.0, help="weight of the text teacher")
    parser.add_argument("--synonyms", type=float, default=4.0, help="weight of other words")
    parser.add_argument("--widths", type=int, nargs=4, default=[32, 96, 192, 320])
    parser.add_argument("--blocks", type=int, nargs=4, default=[2, 2, 3, 1])
    parser.add_argument("--no-degrade", dest="degrade", action="store_false")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="1 on a GPU")
    parser.add_argument("--loaders", type=int, default=1, help="processes that prepare batches")
    parser.add_argument("--seed", type=int, default=0, help="another one gives another network")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)  # for texts; pictures have Workers
    (options.out / "pid").parent.mkdir(parents=True, exist_ok=True)
    (options.out / "pid").write_text(str(os.getpid()))
    Run(options).train()


if __name__ == "__main__":
    main()
