"""Export a training state to the shipped format: ONNX towers, tokenizer, manifest.

    python training/export.py --state last.pt --tokenizer tokenizer.json --out DIR --name mini-6

`--image MODEL` takes the image tower of a model that is exported already instead of a state's, with
`--fusion` the end that `fusion.py` has given it, and `--words` the text tower that `wording.py` has
trained against it. Nothing can be trained against a model without the tokens of other scripts
(`--latin`), which number the others anew.
What normalises pixels and channels is folded into the convolutions. Image weights are stored in
half precision and widened when the session starts; with `--int8 PACK` convolutions multiply
integers, by spans that pictures of the pack give. The token table has four bits a number
(`rounding.py`), its tokens' weights folded in.
"""

import argparse
import json
import shutil
from pathlib import Path

import batches
import numpy as np
import rounding
import torch
import towers
from fusion import Trunk
from graphs import Folded, Graph, Integers, lengthen, observe
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image
from torch import Tensor, nn
from vocabulary import latin, once


def attention(graph: Graph, x: str, layer: towers.Attention) -> str:
    mean = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    hidden = graph.node("Relu", graph.linear(mean, layer.down))
    weights = graph.node("Sigmoid", graph.linear(hidden, layer.up))
    return graph.node("Mul", x, graph.unsqueezed(weights, 2, 3))


def block(graph: Graph, x: str, layer: towers.Block) -> str:
    y = graph.convolution(x, Folded(layer.first), relu=True)
    y = attention(graph, graph.convolution(y, Folded(layer.second)), layer.attention)
    shortcut = layer.shortcut
    if isinstance(shortcut, nn.Sequential):
        if isinstance(shortcut[0], nn.AvgPool2d):
            x = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
            shortcut = shortcut[1]
        x = graph.convolution(x, Folded(shortcut))
    return graph.node("Relu", graph.node("Add", y, x))


def pooled(graph: Graph, x: str, norm: nn.BatchNorm1d, head: nn.Linear) -> str:
    """The mean over a picture, each channel as usual as another, as a vector."""
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * factor
    x = graph.node("Mul", x, graph.constant(factor.detach().numpy()))
    x = graph.node("Add", x, graph.constant(shift.detach().numpy()))
    return graph.linear(x, head)


def image_tower(tower: towers.ImageTower, path: Path, size: int, graph: Graph) -> None:
    x = graph.grey_is_zero(graph.node("Transpose", "pixels", perm=[0, 3, 1, 2]))
    first, second = (pair for pair in tower.stem if isinstance(pair, nn.Sequential))
    x = graph.convolution(x, Folded(first).takes_pixels(), relu=True)
    x = graph.convolution(x, Folded(second), relu=True)
    for layer in tower.body:
        x = block(graph, x, layer)
    x = graph.unit(pooled(graph, x, tower.norm, tower.head))
    shape = ["n", size, size, 3]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)
    graph.save(path, x, [pixels], tower.head.out_features)


def fused(tower: towers.Fusion, shown: NDArray[np.uint8], file: Path, out: Path) -> None:
    """Write the joined image tower in `file` with another end, by the spans of some views."""
    trunk = Trunk(file)
    seen, joined = trunk.see(shown)
    inputs = zip(trunk.fractions(seen).split(1), torch.from_numpy(joined).split(1), strict=True)
    graph = Integers(observe(tower, inputs), "fusion_")

    def end(vectors: str) -> str:
        x = graph.node("Concat", *trunk.ends, axis=1)
        for layer in tower.body:
            x = block(graph, x, layer)
        return graph.unit(graph.node("Add", vectors, pooled(graph, x, tower.norm, tower.head)))

    lengthen(file, out, graph, end)


def gelu(graph: Graph, x: str) -> str:
    root = graph.constant(np.float32(2**0.5))
    one, half = graph.constant(np.float32(1)), graph.constant(np.float32(0.5))
    bell = graph.node("Add", graph.node("Erf", graph.node("Div", x, root)), one)
    return graph.node("Mul", graph.node("Mul", x, bell), half)


def text_tower(tower: towers.TextTower | towers.Joined, path: Path, tokens: list[int]) -> int:
    """Write it with these rows of its tables alone; gives how many numbers a vector has."""
    graph = Graph()
    if isinstance(tower, towers.Joined):
        parts = [text(graph, part, tokens) for part in tower.parts]
        x, dimensions = graph.turned(parts, tower.turned.numpy()), tower.turned.shape[1]
    else:
        x, dimensions = text(graph, tower, tokens), tower.skip.out_features
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    graph.save(path, x, inputs, dimensions)
    return dimensions


def text(graph: Graph, tower: towers.TextTower, tokens: list[int]) -> str:
    taken = vectors(graph, (tower.table * tower.weight[:, None]).detach()[tokens])
    mask = graph.unsqueezed(graph.node("Cast", "attention_mask", to=TensorProto.FLOAT), 2)
    axes = graph.constant(np.array([1], np.int64))
    x = graph.node("ReduceSum", graph.node("Mul", taken, mask), axes, keepdims=0)
    x = graph.node("Mul", graph.unit(x), graph.constant(np.float32(8)))
    hidden = gelu(graph, graph.linear(x, tower.up))
    x = graph.node("Add", graph.linear(x, tower.skip), graph.linear(hidden, tower.down))
    return graph.unit(x)


def vectors(graph: Graph, table: Tensor) -> str:
    """(n, tokens, columns): rows of a table that is stored with four bits a number."""
    whole, scales = rounding.steps(table)
    taken = graph.nibbles(graph.rows(rounding.packed(whole), "input_ids"))
    taken = graph.reshaped(taken, 0, 0, -1, rounding.GROUP)
    widths = graph.unsqueezed(graph.rows(scales.numpy(), "input_ids"), 3)
    return graph.reshaped(graph.node("Mul", taken, widths), 0, 0, table.shape[1])


def manifest(name: str, dimensions: int, size: int, scale: float) -> dict[str, object]:
    return {
        "format": 1,
        "name": name,
        "dimensions": dimensions,
        "image": {
            "file": "image.onnx",
            "size": size,
            "input": "uint8 RGB (n, size, size, 3); the whole picture resized to the square "
            "without keeping its aspect",
            "resize": "bilinear, antialias",
        },
        "text": {
            "file": "text.onnx",
            "tokenizer": "tokenizer.json",
            "special_tokens": False,
            "max_tokens": 48,
        },
        "scale": scale,
    }


def views(pack: Path, size: int, count: int = 512) -> NDArray[np.uint8]:
    """Training pictures as the image tower is given them: (count, size, size, 3)."""
    shown = batches.Pictures(pack).some(count, seed=0)
    return np.stack([one.resize((size, size), Image.Resampling.BILINEAR) for one in shown])


def normalised(view: NDArray[np.uint8]) -> tuple[Tensor]:
    """A view as the image tower takes it: (1, 3, size, size)."""
    mean, std = np.array(towers.MEAN, np.float32), np.array(towers.STD, np.float32)
    return (torch.from_numpy((view - mean) / std).permute(2, 0, 1)[None],)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--state", type=Path, help="of training")
    images.add_argument("--image", type=Path, help="a model whose image tower to keep")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--int8", type=Path, metavar="PACK", help="convolve integers")
    parser.add_argument(
        "--fusion", type=Path, nargs="+", help="of fusion.py: their mean ends the image tower"
    )
    parser.add_argument("--latin", action="store_true", help="no tokens of other scripts")
    parser.add_argument("--words", type=Path, nargs="+", help="of wording.py: their mean")
    options = parser.parse_args()
    if options.fusion and not (options.image and options.int8):
        parser.error("--fusion ends the tower of --image, with --int8")
    options.out.mkdir(parents=True, exist_ok=True)
    parts = towers.mean_text(options.words) if options.words else {}
    if options.image:
        kept = json.loads((options.image / "manifest.json").read_text())
        options.size = kept["image"]["size"]
        file, out = options.image / kept["image"]["file"], options.out / "image.onnx"
        if options.fusion:
            ends = [torch.load(end, weights_only=True) for end in options.fusion]
            weights = towers.mean([end["model"] for end in ends])
            end = towers.fusion_of({**ends[-1], "model": weights})
            fused(end.eval(), views(options.int8, options.size), file, out)
        else:
            shutil.copyfile(file, out)
    else:
        parts = trained(options) | parts
    tokenizer = json.loads(options.tokenizer.read_text())
    tokens = list(range(len(tokenizer["model"]["vocab"])))
    if options.latin:
        tokenizer, tokens = latin(tokenizer)
    tower = towers.text_of(parts).eval()
    bags = [part for part in tower.modules() if isinstance(part, towers.TextTower)]
    tokenizer, tokens = once(tokenizer, tokens, [bag.table.detach() for bag in bags])
    dimensions = text_tower(tower, options.out / "text.onnx", tokens)
    (options.out / "tokenizer.json").write_text(json.dumps(tokenizer, separators=(",", ":")))
    scale = float(parts["scale"].exp().clamp(max=60))
    facts = manifest(options.name, dimensions, options.size, scale)
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


def trained(options: argparse.Namespace) -> dict[str, Tensor]:
    """Write the image tower of a state of training; gives all its weights."""
    state = torch.load(options.state, weights_only=True)
    parts: dict[str, Tensor] = state["model"]
    image = towers.image_of(parts, state["widths"], state["blocks"])
    graph = Graph()
    if options.int8:
        given = map(normalised, views(options.int8, options.size))
        graph = Integers(observe(image.eval(), given))
    image_tower(image.eval(), options.out / "image.onnx", options.size, graph)
    return parts


if __name__ == "__main__":
    main()
