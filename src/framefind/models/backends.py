"""Backends that compute an ONNX graph: ONNX Runtime anywhere, OpenVINO where that is faster.

OpenVINO (the extra [openvino]) multiplies in bf16 where the processor does (AMX, AVX512_BF16) and
takes half the time; ONNX Runtime has no such kernels for x86.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ModelError
from framefind.models.devices import INSTALL_OPENVINO, INSTALL_TORCH, parse_device
from framefind.processes import cores

if TYPE_CHECKING:
    import onnxruntime

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_VECTOR_OUTPUTS = ("image_embeds", "text_embeds", "embedding", "pooler_output")
_MAX_BATCH = 64
"""Inputs per run; more do not raise the speed, but take memory."""
_MAX_BATCH_PER_CORE = 8
"""Inputs whose activations fit the cache of a core, which is 6 to 12% faster."""
_MAX_VIT_CONVOLUTIONS = 4
"""A graph with more is a ResNet, whose residual sums lose too much in bf16; a ViT has one."""
_DTYPES: dict[str, type[np.generic]] = {
    "float": np.float32,
    "float16": np.float16,
    "uint8": np.uint8,
    "int32": np.int32,
    "int64": np.int64,
}


@dataclass(frozen=True)
class Input:
    """An input of a graph; `fixed_batch` is the only batch size that it takes, 0 where any will do.

    The first axis is the batch.
    """

    name: str
    dtype: type[np.generic]
    fixed_batch: int


class Graph(Protocol):
    """An opened graph; several threads may run it."""

    inputs: list[Input]
    batch_size: int
    """The batch size that runs fastest."""
    description: str
    """What computes it, on which device and at which precision."""

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return vectors (n, dimensions) for inputs by name, each (n, ...)."""
        ...


def open_graph(file: Path, device: str, may_round: bool = False, threads: int = 0) -> Graph:
    """Open an ONNX file on a device, `auto`, `cpu`, `openvino`, `cuda` or `cuda:1` and so on.

    `cpu` is ONNX Runtime, which computes at the file's own precision. `auto` is a GPU where ONNX
    Runtime has one; else OpenVINO, if numbers may be rounded to bf16, it is installed on a
    processor that multiplies these, and it can load the file; else `cpu`. `threads` bounds the
    threads of the CPU; 0 takes one per core.

    Raises ModelError when the file cannot be loaded or the device is not here, and ChoiceError when
    there is no such device.
    """
    kind, _ = parse_device(device)
    if kind == "mps":
        raise ModelError(f"device mps: only PyTorch computes on it: {INSTALL_TORCH}")
    if kind == "openvino" and not find_spec("openvino"):
        raise ModelError(f"device openvino: {INSTALL_OPENVINO}")
    if kind == "auto" and may_round and not has_cuda() and openvino_has_bf16():
        # It reads no weights beside the file through links, as the hub's cache has them.
        with suppress(Exception):  # its errors share no base class of their own
            return OpenVinoGraph(file, device, threads)
    backend = OpenVinoGraph if kind == "openvino" else OnnxRuntimeGraph
    try:
        return backend(file, device, threads)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file}: {backend.name} cannot load it: {error}") from None


class OnnxRuntimeGraph:
    """A graph that ONNX Runtime computes."""

    name = "ONNX Runtime"

    def __init__(self, file: Path, device: str, threads: int = 0) -> None:
        """Raise ModelError when the device is not here, and whatever ONNX Runtime raises."""
        self._session = _open_session(file, device, threads)
        self.inputs = [
            Input(node.name, _find_dtype(node.type, file), _fixed_size(node.shape[0]))
            for node in self._session.get_inputs()
        ]
        self._output = _vector_output([node.name for node in self._session.get_outputs()])
        on_gpu = self._session.get_providers()[0] == _CUDA
        in_cache = _MAX_BATCH_PER_CORE * (threads or cores())
        self.batch_size = _MAX_BATCH if on_gpu else min(_MAX_BATCH, in_cache)
        self.description = f"{self.name} on the {'GPU' if on_gpu else 'CPU'}"
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        """What the file says of itself, by name."""

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return vectors (n, dimensions) for inputs by name, each (n, ...)."""
        vectors: NDArray[Any] = self._session.run([self._output], inputs)[0]
        return vectors


class OpenVinoGraph:
    """A graph that OpenVINO computes on the CPU.

    It computes in bf16 where the processor multiplies that, but ResNets in fp32.
    """

    name = "OpenVINO"
    batch_size = _MAX_BATCH

    def __init__(self, file: Path, device: str, threads: int = 0) -> None:
        """Raise whatever OpenVINO raises."""
        import openvino

        core = openvino.Core()
        graph = core.read_model(str(file))
        types = [node.get_type_name() for node in graph.get_ops()]
        is_resnet = types.count("Convolution") > _MAX_VIT_CONVOLUTIONS
        precision = "bf16" if openvino_has_bf16() and not is_resnet else "f32"
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all cores
            "ENABLE_CPU_PINNING": False,  # decoders share the cores
            **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        }
        self._compiled = core.compile_model(graph, "CPU", options)
        self.inputs = [
            Input(
                node.any_name,
                node.element_type.to_dtype().type,
                node.partial_shape[0].get_length() if node.partial_shape[0].is_static else 0,
            )
            for node in self._compiled.inputs
        ]
        self._output = _vector_output([node.any_name for node in self._compiled.outputs])
        self.description = f"{self.name} on the CPU, {precision}"

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return vectors (n, dimensions) for inputs by name, each (n, ...)."""
        request = self._compiled.create_infer_request()  # one thread at a time may use a request
        vectors: NDArray[Any] = request.infer(inputs, share_inputs=True)[self._output]
        return vectors


@cache
def openvino_has_bf16() -> bool:
    """Return whether OpenVINO is installed and multiplies bf16 on this processor."""
    if not find_spec("openvino"):
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def has_cuda() -> bool:
    """Return whether this ONNX Runtime was built for CUDA."""
    import onnxruntime

    return _CUDA in onnxruntime.get_available_providers()


def _open_session(file: Path, device: str, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime

    kind, number = parse_device(device)
    if kind == "cuda" and not has_cuda():
        raise ModelError(f"device {device}: this ONNX Runtime has no CUDA; install onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Decoders share the cores: a spinning thread would take theirs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def open_on(*providers: Any) -> "onnxruntime.InferenceSession":
        # ONNX Runtime's own fallback prints on stdout.
        return onnxruntime.InferenceSession(
            str(file), options, providers=[*providers], enable_fallback=0
        )

    if kind == "cpu" or not has_cuda():
        return open_on(_CPU)
    try:
        session = open_on((_CUDA, {"device_id": str(number)}), _CPU)
    except Exception:  # no driver, or one that is too old
        session = open_on(_CPU)
    if kind == "cuda" and session.get_providers()[0] != _CUDA:
        raise ModelError(
            f"device {device}: ONNX Runtime cannot use a CUDA GPU here: `nvidia-smi` shows whether "
            "there is one, ONNX Runtime's documentation which CUDA and cuDNN it needs"
        )
    return session


def _find_dtype(node_type: str, file: Path) -> type[np.generic]:
    """Return the dtype of ONNX Runtime's `tensor(float)` and so on. Raises ModelError."""
    name = node_type.removeprefix("tensor(").removesuffix(")")
    if name not in _DTYPES:
        raise ModelError(f"{file}: asks for {name}, which framefind cannot give")
    return _DTYPES[name]


def _fixed_size(dimension: object) -> int:
    return dimension if isinstance(dimension, int) else 0


def _vector_output(outputs: list[str]) -> str:
    """Return the name of the output that holds the vectors: a usual name, else the first."""
    return next((name for name in _VECTOR_OUTPUTS if name in outputs), outputs[0])
