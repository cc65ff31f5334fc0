"""The networks of a joined model as states that training goes on from.

    python training/restore.py --pack PACK --model BOTH --words words.pt --tokenizer TOKENS \
        --out RUN_0.pt RUN_1.pt

States of training are large and stay with the machine; what ships has their weights but for a
little. Convolutions of integers become numbers again; what batch normalisation was, which is folded
into them, is measured on training views, so that it does to them what it did. Each network has
the text tower of its half. `train.py --start RUN_0.pt` goes on from there.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import augment
import batches
import numpy as np
import onnx
import torch
import towers
from graphs import GREY
from torch import Tensor, nn

VIEWS = 384
PIECE = 96  # views at a time


class Written:
    """What an ONNX graph says of one of its networks, the one whose names begin with `prefix`."""

    def __init__(self, file: Path, prefix: str) -> None:
        graph = onnx.load(file).graph
        self.constants = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
        self.made = {node.output[0]: node for node in graph.node}
        self.nodes = [node for node in graph.node if node.output[0].startswith(prefix)]

    def numbers(self, name: str) -> Tensor:
        """A weight in floating point, however it is stored."""
        if name in self.constants:
            return torch.from_numpy(self.constants[name].astype(np.float32))
        node = self.made[name]
        found, *scale = (self.numbers(one) for one in node.input)
        if node.op_type == "DequantizeLinear":
            found = found * scale[0].reshape(-1, *[1] * (found.ndim - 1))
        return found

    def layers(self, kind: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer of that kind, in their order."""
        for node in self.nodes:
            if node.op_type == kind:
                yield self.numbers(node.input[1]), self.numbers(node.input[2])

    def last_norm(self) -> tuple[Tensor, Tensor]:
        """The factor and shift of what goes into the last layer."""
        head = [node for node in self.nodes if node.op_type == "Gemm"][-1]
        shift = self.made[head.input[0]]
        factor = self.made[shift.input[0]]
        return self.numbers(factor.input[1]), self.numbers(shift.input[1])


@torch.no_grad()
def restore(tower: towers.ImageTower, written: Written) -> None:
    """Give a tower the weights of a network; its normalisation does nothing yet."""
    convolutions, linear = written.layers("Conv"), written.layers("Gemm")
    pairs = [pair for pair in tower.stem if isinstance(pair, nn.Sequential)]
    for block in tower.body:
        shortcut = [m for m in block.shortcut.modules() if isinstance(m, nn.Sequential)]
        pairs += [block.first, block.second, *shortcut[-1:]]
        for layer in (block.attention.down, block.attention.up):
            fill(layer, *next(linear))
    fill(tower.head, *next(linear))
    for pair, (weight, bias) in zip(pairs, convolutions, strict=True):
        if pair is pairs[0]:  # `Folded.takes_pixels`, turned round
            mean, std = torch.tensor(towers.MEAN), torch.tensor(towers.STD)
            bias = bias - (weight * (GREY - mean)[:, None, None]).sum((1, 2, 3))
            weight = weight * std[:, None, None]
        pair[0].weight.copy_(weight)
        stand(pair[1], torch.ones_like(bias), bias)
    stand(tower.norm, *written.last_norm())


def fill(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


def stand(norm: nn.BatchNorm1d | nn.BatchNorm2d, factor: Tensor, shift: Tensor) -> None:
    """Have it multiply and add just that."""
    norm.weight.copy_(factor)
    norm.bias.copy_(shift)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)


@torch.no_grad()
def unfold(tower: towers.ImageTower, views: Iterable[Tensor]) -> None:
    """Measure what is normalised, so that doing so leaves the tower as it is."""
    seen: dict[nn.Module, list[Tensor]] = {}

    def note(norm: nn.Module, taken: tuple[Tensor], given: Tensor) -> None:
        found = taken[0].transpose(0, 1).flatten(1)
        seen.setdefault(norm, []).append(torch.stack([found.mean(1), (found**2).mean(1)]))

    norms = [m for m in tower.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(note) for norm in norms]
    tower.eval()
    for piece in views:
        tower(piece)
    for hook in hooks:
        hook.remove()
    for norm, moments in seen.items():
        mean, square = torch.stack(moments).mean(0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(square - mean**2)
        norm.bias.add_(norm.weight * mean)
        norm.weight.mul_((norm.running_var + norm.eps).sqrt())


def text_half(
    words: dict[str, Tensor], half: int, rows: list[int], tokens: int
) -> dict[str, Tensor]:
    """The text tower of one half, for a vocabulary of which it knows some `rows`."""
    prefix = f"text.parts.{half}."
    found = {f"text.{k.removeprefix(prefix)}": v for k, v in words.items() if k.startswith(prefix)}
    for name in ("text.table", "text.weight"):
        known = found[name]
        found[name] = known.new_zeros(tokens, *known.shape[1:])
        found[name][rows] = known
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, nargs=2, required=True)
    parser.add_argument("--widths", type=int, nargs=4, default=[32, 96, 192, 320])
    parser.add_argument("--blocks", type=int, nargs=4, default=[2, 2, 3, 1])
    options = parser.parse_args()
    facts = json.loads((options.model / "manifest.json").read_text())
    size, rng = facts["image"]["size"], np.random.default_rng(9)
    pictures = batches.Pictures(options.pack)
    drawn = pictures.draw(VIEWS, rng)
    views = np.stack([pictures.view(*one, size, True, rng) for one in drawn])
    words = torch.load(options.words, weights_only=True)
    known, tokens = (
        json.loads(file.read_text())["model"]["vocab"]
        for file in (options.model / "tokenizer.json", options.tokenizer)
    )
    rows = [tokens[token] for token in sorted(known, key=known.__getitem__)]
    for half, out in enumerate(options.out):
        tower = towers.ImageTower(tuple(options.widths), tuple(options.blocks))
        restore(tower, Written(options.model / facts["image"]["file"], f"{'ab'[half]}_"))
        unfold(tower, map(augment.normalise, torch.from_numpy(views).split(PIECE)))
        model = {f"image.{name}": value for name, value in tower.state_dict().items()}
        model |= text_half(words, half, rows, len(tokens)) | {"scale": words["scale"]}
        shape = {"widths": options.widths, "blocks": options.blocks}
        torch.save({"model": model, **shape, "spent": 0.0, "step": 0, "seen": 0}, out)


if __name__ == "__main__":
    main()
