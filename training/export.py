"""Export a training state to the shipped format: ONNX towers, tokenizer, manifest.

    python training/export.py --state last.pt --tokenizer tokenizer.json --out DIR --name mini-2

Batch normalisation is folded into the convolutions; image weights are stored in half precision
and widened when the session starts; the token table is int8 with a scale per row, its tokens'
weights folded in. Input pixels are uint8 and normalised inside the graph.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
import towers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17


class Graph:
    """An ONNX graph written node by node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def half(self, value: Tensor) -> str:
        """A float32 weight stored as float16; the session folds the cast away when it starts."""
        return self.node("Cast", self.constant(value.half().numpy()), to=TensorProto.FLOAT)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def unit(self, x: str) -> str:
        """Rows of length one."""
        length = self.node("ReduceL2", x, axes=[1], keepdims=1)
        floor = self.constant(np.float32(1e-12))
        return self.node("Div", x, self.node("Max", length, floor))

    def linear(self, x: str, layer: nn.Linear) -> str:
        bias = self.constant(layer.bias.detach().numpy())
        return self.node("Gemm", x, self.half(layer.weight.detach()), bias, transB=1)

    def save(
        self, path: Path, result: str, inputs: list[onnx.ValueInfoProto], dimensions: int
    ) -> None:
        self.nodes.append(helper.make_node("Identity", [result], ["embeddings"]))
        output = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", dimensions])
        graph = helper.make_graph(self.nodes, "tower", inputs, [output], self.weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def convolution(graph: Graph, x: str, pair: nn.Sequential) -> str:
    """A convolution with its batch normalisation folded in."""
    layer, norm = pair
    assert isinstance(layer, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = norm.bias - norm.running_mean * factor
    weight = (layer.weight * factor[:, None, None, None]).detach().contiguous()
    padding, stride = layer.padding[0], layer.stride[0]
    return graph.node(
        "Conv",
        x,
        graph.half(weight),
        graph.constant(bias.detach().numpy()),
        pads=[padding] * 4,
        strides=[stride] * 2,
    )


def attention(graph: Graph, x: str, layer: towers.Attention) -> str:
    mean = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    hidden = graph.node("Relu", graph.linear(mean, layer.down))
    weights = graph.node("Sigmoid", graph.linear(hidden, layer.up))
    axes = graph.constant(np.array([2, 3], np.int64))
    return graph.node("Mul", x, graph.node("Unsqueeze", weights, axes))


def block(graph: Graph, x: str, layer: towers.Block) -> str:
    y = graph.node("Relu", convolution(graph, x, layer.first))
    y = attention(graph, convolution(graph, y, layer.second), layer.attention)
    shortcut = layer.shortcut
    if isinstance(shortcut, nn.Sequential):
        if isinstance(shortcut[0], nn.AvgPool2d):
            x = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
            shortcut = shortcut[1]
        x = convolution(graph, x, shortcut)
    return graph.node("Relu", graph.node("Add", y, x))


def image_tower(tower: towers.ImageTower, path: Path, size: int) -> None:
    graph = Graph()
    x = graph.node("Cast", "pixels", to=TensorProto.FLOAT)
    mean, std = (graph.constant(np.array(v, np.float32)) for v in (towers.MEAN, towers.STD))
    x = graph.node("Div", graph.node("Sub", x, mean), std)
    x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    for layer in tower.stem:
        if isinstance(layer, nn.Sequential):
            x = graph.node("Relu", convolution(graph, x, layer))
    for layer in tower.body:
        x = block(graph, x, layer)
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    norm = tower.norm
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * factor
    x = graph.node("Mul", x, graph.constant(factor.detach().numpy()))
    x = graph.node("Add", x, graph.constant(shift.detach().numpy()))
    x = graph.unit(graph.linear(x, tower.head))
    shape = ["n", size, size, 3]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)
    graph.save(path, x, [pixels], tower.head.out_features)


def gelu(graph: Graph, x: str) -> str:
    root = graph.constant(np.float32(2**0.5))
    one, half = graph.constant(np.float32(1)), graph.constant(np.float32(0.5))
    bell = graph.node("Add", graph.node("Erf", graph.node("Div", x, root)), one)
    return graph.node("Mul", graph.node("Mul", x, bell), half)


def text_tower(tower: towers.TextTower, path: Path) -> None:
    graph = Graph()
    rows = (tower.table * tower.weight[:, None]).detach()
    scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
    table = graph.constant((rows / scale).round().to(torch.int8).numpy())
    scales = graph.constant(scale.half().numpy())
    taken = graph.node("Cast", graph.node("Gather", table, "input_ids"), to=TensorProto.FLOAT)
    widths = graph.node("Cast", graph.node("Gather", scales, "input_ids"), to=TensorProto.FLOAT)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    last = graph.constant(np.array([2], np.int64))
    widths = graph.node("Mul", widths, graph.node("Unsqueeze", mask, last))
    axes = graph.constant(np.array([1], np.int64))
    x = graph.node("ReduceSum", graph.node("Mul", taken, widths), axes, keepdims=0)
    x = graph.node("Mul", graph.unit(x), graph.constant(np.float32(8)))
    hidden = gelu(graph, graph.linear(x, tower.up))
    x = graph.node("Add", graph.linear(x, tower.skip), graph.linear(hidden, tower.down))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    graph.save(path, graph.unit(x), inputs, tower.skip.out_features)


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


def blend(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between those before and after further training (Wortsman et al. 2022)."""
    return {
        name: start[name].lerp(value, share) if value.is_floating_point() else value
        for name, value in end.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--blend", type=Path, help="the state that training went on from")
    parser.add_argument("--share", type=float, default=0.7, help="of --state in the blend")
    parser.add_argument("--words", type=Path, nargs="+", help="of wording.py: their mean")
    options = parser.parse_args()
    state = torch.load(options.state, weights_only=True)
    parts = state["model"]
    if options.blend:
        parts = blend(torch.load(options.blend, weights_only=True)["model"], parts, options.share)
    if options.words:
        parts |= towers.mean(options.words)
    image = towers.ImageTower(tuple(state["widths"]), tuple(state["blocks"]))
    image.load_state_dict({k[6:]: v for k, v in parts.items() if k.startswith("image.")})
    text = towers.TextTower(parts["text.table"])
    text.load_state_dict({k[5:]: v for k, v in parts.items() if k.startswith("text.")})
    options.out.mkdir(parents=True, exist_ok=True)
    image_tower(image.eval(), options.out / "image.onnx", options.size)
    text_tower(text.eval(), options.out / "text.onnx")
    shutil.copyfile(options.tokenizer, options.out / "tokenizer.json")
    scale = float(parts["scale"].exp().clamp(max=60))
    facts = manifest(options.name, image.head.out_features, options.size, scale)
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
