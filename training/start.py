"""Begin from a shipped model instead of random weights: its ONNX towers as a training state.

    python training/start.py --model src/framefind/models/mini-1 --pack PACK --out RUN/start.pt

What an export folded together is taken apart again: every convolution gets a batch normalisation
that undoes nothing yet (its mean and variance measured on training pictures), its rows get length
one so that steps are of a known size, and the token weights begin at their usual values. Widths
and blocks are those of `mini-1`. Where it halves the size, `mini-1` drops every other pixel before
a shortcut; the tower here takes their mean, to which a few thousand views are enough to get used.
"""

import argparse
import json
import math
from pathlib import Path

import augment
import batches
import numpy as np
import onnx
import torch
import towers
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

WIDTHS, BLOCKS = (32, 64, 128, 256), (2, 3, 4, 2)


def weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """By the name a node uses, also those widened from half precision first."""
    found = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in found.items()}


def convolutions(tower: nn.Module) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """In the order of their use: a block's two, then its shortcut's."""
    found = [m for m in tower.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    return list(zip(found[::2], found[1::2], strict=True))  # type: ignore[arg-type]


def settle(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
    """Make a normalisation only multiply by the weight and add the bias that it has."""
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.bias.add_(mean * norm.weight)
    norm.weight.mul_((variance + norm.eps).sqrt())


def views(pack: Path, size: int, count: int = 512) -> NDArray[np.uint8]:
    """Training pictures as a batch would show them."""
    rng, pictures = np.random.default_rng(0), batches.Pictures(pack)
    drawn = pictures.draw(count, rng)
    shown = [augment.frame(pictures.pixels[n][i], size, 0.35, False, rng) for n, i in drawn]
    return np.stack(shown)


@torch.no_grad()
def image_tower(graph: onnx.GraphProto, pixels: Tensor) -> towers.ImageTower:
    """`pixels` (n, size, size, 3) uint8: some pictures to measure on."""
    found = weights(graph)
    given = (node for node in graph.node if node.op_type == "Conv")
    tower = towers.ImageTower(WIDTHS, BLOCKS).eval()
    for (layer, norm), node in zip(convolutions(tower), given, strict=True):
        weight, bias = (found[name] for name in node.input[1:])
        length = weight.flatten(1).norm(dim=1)
        layer.weight.copy_(weight / length[:, None, None, None])
        norm.weight.copy_(length)
        norm.bias.copy_(bias)
        norm.register_forward_pre_hook(settle)
    fill(tower, [node for node in graph.node if node.op_type == "Gemm"], found)
    (last,) = (node for node in graph.node if node.op_type == "BatchNormalization")
    kept = (tower.norm.weight, tower.norm.bias, tower.norm.running_mean, tower.norm.running_var)
    for part, name in zip(kept, last.input[1:], strict=True):
        part.copy_(found[name])
    tower(augment.normalise(pixels))
    for _, norm in convolutions(tower):
        norm._forward_pre_hooks.clear()
    return tower


def fill(tower: nn.Module, nodes: list[onnx.NodeProto], found: dict[str, Tensor]) -> None:
    """A tower's matrices, in their order."""
    layers = [module for module in tower.modules() if isinstance(module, nn.Linear)]
    for layer, node in zip(layers, nodes, strict=True):
        layer.weight.copy_(found[node.input[1]])
        layer.bias.copy_(found[node.input[2]])


@torch.no_grad()
def text_tower(graph: onnx.GraphProto) -> towers.TextTower:
    found = weights(graph)
    table, scale = (found[node.input[0]] for node in graph.node if node.op_type == "Gather")
    tower = towers.TextTower(table * scale)
    tower.weight.clamp_(min=0.1)
    tower.table.div_(tower.weight[:, None])
    fill(tower, [node for node in graph.node if node.op_type == "Gemm"], found)
    return tower


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--size", type=int, default=96, help="pixels to measure at")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    pixels = torch.from_numpy(views(options.pack, options.size))
    parts = {
        "image": image_tower(onnx.load(options.model / "image.onnx").graph, pixels),
        "text": text_tower(onnx.load(options.model / "text.onnx").graph),
    }
    model = {f"{n}.{k}": v for n, tower in parts.items() for k, v in tower.state_dict().items()}
    manifest = json.loads((options.model / "manifest.json").read_text())
    model["scale"] = torch.tensor(math.log(manifest["scale"]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model, "widths": list(WIDTHS), "blocks": list(BLOCKS)}, options.out)


if __name__ == "__main__":
    main()
