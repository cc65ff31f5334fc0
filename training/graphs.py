"""ONNX graphs written node by node, in floating point or with integers in the convolutions."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
import towers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17
Span = tuple[float, float]
Spans = dict[nn.Module, tuple[Span, Span]]
"""The least and the most that goes into a convolution, and that comes out."""

GREY = 114  # what surrounds a picture for a convolution: about the mean of the channels


class Folded:
    """A convolution with its batch normalisation folded in."""

    def __init__(self, pair: nn.Sequential) -> None:
        layer, norm = pair
        assert isinstance(layer, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        self.pair = pair
        self.weight = (layer.weight * factor[:, None, None, None]).detach().contiguous()
        self.bias = (norm.bias - norm.running_mean * factor).detach()
        self.attributes = {"pads": [layer.padding[0]] * 4, "strides": [layer.stride[0]] * 2}

    def takes_pixels(self) -> "Folded":
        """The same for pixels around 0 instead of normalised ones; the surroundings are grey."""
        mean, std = torch.tensor(towers.MEAN), torch.tensor(towers.STD)
        self.weight = self.weight / std[:, None, None]
        self.bias = self.bias + (self.weight * (GREY - mean)[:, None, None]).sum((1, 2, 3))
        return self


class Graph:
    """An ONNX graph written node by node."""

    def __init__(self, prefix: str = "") -> None:
        """`prefix` begins the names of everything in it."""
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"{self.prefix}w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def half(self, value: Tensor) -> str:
        """A float32 weight stored as float16; the session folds the cast away when it starts."""
        return self.node("Cast", self.constant(value.half().numpy()), to=TensorProto.FLOAT)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{self.prefix}x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def rows(self, table: NDArray[np.generic], ids: str) -> str:
        """Rows of a table as float32."""
        return self.node(
            "Cast", self.node("Gather", self.constant(table), ids), to=TensorProto.FLOAT
        )

    def nibbles(self, x: str) -> str:
        """Both halves of bytes (n, tokens, columns), the low ones first: -8 to 7."""
        sixteen, eight = self.constant(np.float32(16)), self.constant(np.float32(8))
        high = self.node("Floor", self.node("Div", x, sixteen))
        low = self.node("Sub", x, self.node("Mul", high, sixteen))
        return self.node("Sub", self.node("Concat", low, high, axis=2), eight)

    def unsqueezed(self, x: str, *axes: int) -> str:
        return self.node("Unsqueeze", x, self.constant(np.array(axes, np.int64)))

    def reshaped(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(np.array(shape, np.int64)))

    def unit(self, x: str) -> str:
        """Rows of length one."""
        length = self.node("ReduceL2", x, axes=[1], keepdims=1)
        floor = self.constant(np.float32(1e-12))
        return self.node("Div", x, self.node("Max", length, floor))

    def linear(self, x: str, layer: nn.Linear) -> str:
        bias = self.constant(layer.bias.detach().numpy())
        return self.node("Gemm", x, self.half(layer.weight.detach()), bias, transB=1)

    def turned(self, vectors: list[str], directions: NDArray[np.float32]) -> str:
        """Vectors side by side as rows of length one, along some directions."""
        x = self.node("Concat", *vectors, axis=1)
        return self.unit(self.node("MatMul", x, self.half(torch.from_numpy(directions))))

    def grey_is_zero(self, pixels: str) -> str:
        """uint8 (n, 3, s, s) to numbers around 0."""
        x = self.node("Cast", pixels, to=TensorProto.FLOAT)
        return self.node("Sub", x, self.constant(np.float32(GREY)))

    def convolution(self, x: str, layer: Folded, relu: bool = False) -> str:
        weight, bias = self.half(layer.weight), self.constant(layer.bias.numpy())
        x = self.node("Conv", x, weight, bias, **layer.attributes)
        return self.node("Relu", x) if relu else x

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


class Integers(Graph):
    """Convolutions of uint8 by int8, with a scale for each channel of the weights.

    Weights take 7 of their 8 bits: processors without VNNI add two products in 16 bits, which must
    not overflow, so that vectors are the same on all.
    """

    def __init__(self, spans: Spans, prefix: str = "") -> None:
        super().__init__(prefix)
        self.spans = spans
        self.scales: dict[str, float] = {}  # of what is made of integers

    def grey_is_zero(self, pixels: str) -> str:
        return self._real(pixels, 1.0, GREY)

    def convolution(self, x: str, layer: Folded, relu: bool = False) -> str:
        taken, (low, high) = self.spans[layer.pair]
        if x not in self.scales:
            x = self._rounded(x, taken)
        scale = layer.weight.abs().amax((1, 2, 3)).clamp(min=1e-8) / 63
        weight = (layer.weight / scale[:, None, None, None]).round().to(torch.int8)
        bias = (layer.bias / (scale * self.scales[x])).round().to(torch.int32)
        parts = (weight, scale), (bias, scale * self.scales[x])
        inputs = [
            self.node("DequantizeLinear", *(self.constant(part.numpy()) for part in pair), axis=0)
            for pair in parts
        ]
        y = self.node("Conv", x, *inputs, **layer.attributes)
        return self._rounded(y, (0.0, high) if relu else (low, high))  # below the span is its end

    def _rounded(self, x: str, span: Span) -> str:
        """Numbers of the span, in 256 steps of which one is 0."""
        low, high = min(0.0, span[0]), max(0.0, span[1])
        scale = (high - low) / 255
        zero = round(-low / scale)
        real = self.constant(np.float32(scale)), self.constant(np.uint8(zero))
        return self._real(self.node("QuantizeLinear", x, *real), scale, zero)

    def _real(self, x: str, scale: float, zero: int) -> str:
        steps = self.constant(np.float32(scale)), self.constant(np.uint8(zero))
        x = self.node("DequantizeLinear", x, *steps)
        self.scales[x] = scale
        return x


def lengthen(file: Path, out: Path, graph: Graph, end: Callable[[str], str]) -> None:
    """Write a tower again whose vectors go through more nodes, which `end` adds to `graph`."""
    tower = onnx.load(file)
    nodes = tower.graph.node
    given = next(node for node in nodes if "embeddings" in node.output)
    ended = end(given.input[0])
    nodes.remove(given)
    nodes.extend([*graph.nodes, helper.make_node("Identity", [ended], ["embeddings"])])
    tower.graph.initializer.extend(graph.weights)
    onnx.checker.check_model(tower, full_check=True)
    onnx.save(tower, out)


def observe(tower: nn.Module, inputs: Iterable[tuple[Tensor, ...]]) -> Spans:
    """What goes into and comes out of each convolution for 98 in 100 of some inputs of one view."""
    seen = defaultdict(list)  # (views, 4): least and most taken, least and most given

    def note(pair: nn.Module, taken: tuple[Tensor], given: Tensor) -> None:
        seen[pair].append([float(end) for x in (taken[0], given) for end in x.aminmax()])

    pairs = [m for m in tower.modules() if isinstance(m, nn.Sequential) and _is_pair(m)]
    hooks = [pair.register_forward_hook(note) for pair in pairs]
    with torch.inference_mode():
        for given in inputs:
            tower(*given)
    for hook in hooks:
        hook.remove()
    spans: Spans = {}
    for pair, ends in seen.items():
        (low, _, less, _), (_, high, _, more) = np.quantile(ends, (0.01, 0.99), axis=0).tolist()
        spans[pair] = (low, high), (less, more)
    return spans


def _is_pair(module: nn.Sequential) -> bool:
    return len(module) == 2 and isinstance(module[0], nn.Conv2d)
