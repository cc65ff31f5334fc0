"""What computes an ONNX graph: ONNX Runtime anywhere, OpenVINO on CPUs where that is faster.

OpenVINO (the extra [openvino]) multiplies in bf16 where the processor does (AMX, AVX512_BF16) and
takes half the time; ONNX Runtime has no such kernels for x86.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ChoiceError, ModelError

if TYPE_CHECKING:
    import onnxruntime

DEVICES = ("auto", "cpu", "openvino", "cuda")  # and `cuda:1` and so on

_OUTPUTS = ("image_embeds", "text_embeds", "embedding", "pooler_output")
_ROWS = 64  # inputs per run: more gain nothing and cost memory
_ROWS_PER_CORE = 8  # what lies between two layers of so many fits its cache: 6 to 12 % faster
_CONVOLUTIONS = 4  # of more a ResNet is made, which adds up what bf16 loses; a ViT has one
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_TYPES: dict[str, type[np.generic]] = {
    "float": np.float32,
    "float16": np.float16,
    "uint8": np.uint8,
    "int32": np.int32,
    "int64": np.int64,
}


_threads = 0


def use_threads(count: int) -> None:
    """Let so many threads of the CPU compute what is opened from now on; 0: as many as it has."""
    global _threads
    _threads = count


def threads() -> int:
    """See `use_threads`."""
    return _threads


@dataclass(frozen=True)
class Input:
    """What a graph asks for; `batch` is the only size that it takes, or 0 where any will do."""

    name: str
    dtype: type[np.generic]
    batch: int


class Graph(Protocol):
    """An opened graph; several threads may run it."""

    inputs: list[Input]
    rows: int
    """How many inputs it had best be given at a time."""
    said: str
    """What computes it, and in which numbers, for people."""

    def run(self, given: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """The vectors, one per row, for inputs by name."""
        ...


def open_graph(file: Path, device: str, may_round: bool = False) -> Graph:
    """Open an ONNX file on a device, `auto`, `cpu`, `openvino`, `cuda` or `cuda:1` and so on.

    `cpu` is ONNX Runtime, which computes in the file's own numbers. `auto` is a GPU where ONNX
    Runtime has one; else OpenVINO, if numbers may be rounded to bf16, it is installed on a
    processor that multiplies these, and it can load the file; else `cpu`. Raises ModelError when
    the file cannot be loaded or the device is not here.
    """
    kind, _, number = device.partition(":")
    if kind not in DEVICES or (number and not (kind == "cuda" and number.isdecimal())):
        raise ChoiceError(f"device {device!r}: use {', '.join(DEVICES)}, or cuda:1 and so on")
    if device == "openvino" and not find_spec("openvino"):
        raise ModelError("device openvino: pip install 'framefind[openvino]'")
    if device == "auto" and may_round and not has_cuda() and openvino_has_bf16():
        # It reads no weights beside the file through links, as the hub's cache has them.
        with suppress(Exception):  # theirs share no base class of their own
            return OpenVinoGraph(file, device)
    engine = OpenVinoGraph if device == "openvino" else OnnxRuntimeGraph
    try:
        return engine(file, device)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file}: {engine.name} cannot load it: {error}") from None


class OnnxRuntimeGraph:
    """A graph that ONNX Runtime computes."""

    name = "ONNX Runtime"

    def __init__(self, file: Path, device: str) -> None:
        """Raises ModelError when the device is not here, and whatever ONNX Runtime raises."""
        self._session = _session(file, device)
        self.inputs = [
            Input(given.name, _dtype(given.type[len("tensor(") : -1], file), _size(given.shape[0]))
            for given in self._session.get_inputs()
        ]
        self._output = _vectors([output.name for output in self._session.get_outputs()])
        on_gpu = self._session.get_providers()[0] == _CUDA
        self.rows = (
            _ROWS if on_gpu else min(_ROWS, _ROWS_PER_CORE * (_threads or os.cpu_count() or 1))
        )
        self.said = f"{self.name} on the {'GPU' if on_gpu else 'CPU'}"

    def run(self, given: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """The vectors, one per row, for inputs by name."""
        vectors: NDArray[Any] = self._session.run([self._output], given)[0]
        return vectors


class OpenVinoGraph:
    """A graph that OpenVINO computes on the CPU, in bf16 where the processor multiplies that.

    But for ResNets, which would lose too much.
    """

    name = "OpenVINO"
    rows = _ROWS

    def __init__(self, file: Path, device: str) -> None:
        """Raises what OpenVINO raises."""
        import openvino

        core = openvino.Core()
        graph = core.read_model(str(file))
        kinds = [node.get_type_name() for node in graph.get_ops()]
        rounds = openvino_has_bf16() and kinds.count("Convolution") <= _CONVOLUTIONS
        precision = "bf16" if rounds else "f32"
        how = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all cores
            "ENABLE_CPU_PINNING": False,  # decoders share the cores
            **({"INFERENCE_NUM_THREADS": _threads} if _threads else {}),
        }
        self._compiled = core.compile_model(graph, "CPU", how)
        self.inputs = [
            Input(
                given.any_name,
                given.element_type.to_dtype().type,
                given.partial_shape[0].get_length() if given.partial_shape[0].is_static else 0,
            )
            for given in self._compiled.inputs
        ]
        self._output = _vectors([output.any_name for output in self._compiled.outputs])
        self.said = f"{self.name} on the CPU, {precision}"

    def run(self, given: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """The vectors, one per row, for inputs by name."""
        request = self._compiled.create_infer_request()  # which is for one thread at a time
        vectors: NDArray[Any] = request.infer(given, share_inputs=True)[self._output]
        return vectors


@cache
def openvino_has_bf16() -> bool:
    """Whether OpenVINO is installed and multiplies bf16 on this processor."""
    if not find_spec("openvino"):
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _session(file: Path, device: str) -> "onnxruntime.InferenceSession":
    import onnxruntime

    kind, _, number = device.partition(":")
    if kind == "cuda" and not has_cuda():
        raise ModelError(f"device {device}: this ONNX Runtime has no CUDA; install onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = _threads
    # Decoders share the cores: a spinning thread would take theirs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def opened(*providers: Any) -> "onnxruntime.InferenceSession":
        # Its own way to fall back prints on stdout.
        return onnxruntime.InferenceSession(
            str(file), options, providers=[*providers], enable_fallback=0
        )

    if device == "cpu" or not has_cuda():
        return opened(_CPU)
    try:
        session = opened((_CUDA, {"device_id": number or "0"}), _CPU)
    except Exception:  # no driver, or one that is too old
        session = opened(_CPU)
    if kind == "cuda" and session.get_providers()[0] != _CUDA:
        raise ModelError(
            f"device {device}: ONNX Runtime cannot use a CUDA GPU here: `nvidia-smi` shows whether "
            "there is one, ONNX Runtime's documentation which CUDA and cuDNN it needs"
        )
    return session


def has_cuda() -> bool:
    """Whether this ONNX Runtime was built for CUDA."""
    import onnxruntime

    return _CUDA in onnxruntime.get_available_providers()


def _dtype(name: str, file: Path) -> type[np.generic]:
    if name not in _TYPES:
        raise ModelError(f"{file}: asks for {name}, which framefind cannot give")
    return _TYPES[name]


def _size(dimension: object) -> int:
    return dimension if isinstance(dimension, int) else 0


def _vectors(outputs: list[str]) -> str:
    """Which of a graph's outputs is the vectors: by name, else the first."""
    return next((name for name in _OUTPUTS if name in outputs), outputs[0])
