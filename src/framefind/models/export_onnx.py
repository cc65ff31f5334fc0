"""Export of a checkpoint as ONNX towers, so that it runs where there is no torch.

The folder it writes has framefind's own layout, `manifest.json`, and is read by `local-dir:`.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from framefind.errors import ChoiceError, ModelError
from framefind.models import layouts
from framefind.models.onnx import OnnxModel
from framefind.models.tokenizer import open_tokenizer, tokens
from framefind.models.torch import TorchModel

BOUNDS = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.98}
"""How near every vector of an export must come to PyTorch's at fp32, as a cosine less the mean."""

_OPSET = 17
_PICTURES = 64
_TEXTS = Path(__file__).with_name("backgrounds.json")
_ODD_TEXTS = ["", "Ünïcode, naïve café", "🎬 a clapperboard", "犬が浜辺を走る", "word " * 200]


@dataclass(frozen=True)
class Agreement:
    """The lowest cosine, less the mean, of an export's vectors with PyTorch's at fp32."""

    pictures: float
    texts: float


def export(model: TorchModel, folder: Path, precision: str = "fp32") -> Agreement:
    """Write the model's towers to a new folder, at `fp32`, `fp16` or `int8`, and check them.

    Raises ModelError, and leaves nothing behind, when the folder is there already, the model
    cannot be exported, or the towers do not agree with the model within BOUNDS.
    """
    if precision not in BOUNDS:
        raise ChoiceError(f"precision {precision!r}: export fp32, fp16 or int8")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: is there already: name a new folder")
    fresh = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        _write(model, fresh, precision)
        found = agreement(model, fresh)
        if min(found.pictures, found.texts) < BOUNDS[precision]:
            raise ModelError(
                f"model {model.name}: its export at {precision} does not agree with it (cosines "
                f"down to {found.pictures:.4f} of pictures and {found.texts:.4f} of texts, not "
                f"{BOUNDS[precision]}): nothing was written; try --precision fp32"
            )
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return found


def agreement(model: TorchModel, folder: Path) -> Agreement:
    """Compare the towers in a folder with the model at fp32, on made-up pictures and texts."""
    exported = OnnxModel(f"local-dir:{folder}", layouts.read(folder), "cpu")
    exact = TorchModel(model.name, model.checkpoint, str(model.device), "fp32")
    pictures = _pictures(model.size)
    texts = [*json.loads(_TEXTS.read_text("utf-8"))["texts"], *_ODD_TEXTS]
    return Agreement(
        _lowest(exported.embed_images(pictures), exact.embed_images(pictures)),
        _lowest(exported.embed_texts(texts), exact.embed_texts(texts)),
    )


def _lowest(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    mean = theirs.mean(axis=0)
    ours, theirs = ours - mean, theirs - mean
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)).min())


def _pictures(size: int) -> NDArray[np.uint8]:
    """Pictures with the spectrum of photographs, whose power falls with the square of frequency."""
    random = np.random.default_rng(0)
    across, down = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))
    falling = 1 / np.maximum(np.hypot(across, down), 1 / size)
    noise = np.fft.fft2(random.normal(size=(_PICTURES, 3, size, size)))
    waves = np.fft.ifft2(noise * falling).real
    waves += 2 * waves[:, :1]  # the channels of photographs vary together
    waves /= waves.std(axis=(1, 2, 3), keepdims=True)
    bright = random.uniform(64, 192, (_PICTURES, 3, 1, 1))
    levels = np.clip(bright + random.uniform(20, 70, (_PICTURES, 1, 1, 1)) * waves, 0, 255)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1).astype(np.uint8))


def _write(model: TorchModel, folder: Path, precision: str) -> None:
    found, texts = model.checkpoint.towers, model.checkpoint.towers.texts
    tokenizer = open_tokenizer(texts)
    picture = np.zeros((2, model.size, model.size, 3), np.uint8)
    _trace(model, "image", folder, {"pictures": picture}, ["batch"])
    ids, mask = tokens(tokenizer, texts, ["a dog", "a cat"])
    axes = ["batch"] if texts.pad is not None else ["batch", "length"]
    _trace(model, "text", folder, {"input_ids": ids, "attention_mask": mask}, axes)
    try:
        for side in ("image", "text"):
            _SMALLER[precision](folder / f"{side}.onnx")
    except (
        Exception
    ) as error:  # of onnx and ONNX Runtime, of towers too large for one file above all
        raise ModelError(
            f"model {model.name}: cannot be made {precision} ({_first_line(error)}): export fp32"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    pictures = found.pictures
    manifest = {
        "format": 1,
        "name": model.name,
        "dimensions": model.dimensions,
        "scale": model.scale,
        "precision": precision,
        "source": model.checkpoint.source(),
        "image": {
            "file": "image.onnx",
            "size": pictures.size,
            "resize": pictures.resize,
            "resnet": found.resnet,
        },
        "text": {
            "file": "text.onnx",
            "tokenizer": "tokenizer.json",
            "special_tokens": texts.special_tokens,
            "max_tokens": texts.max_tokens,
            "pad": texts.pad,
            "pad_left": texts.pad_left,
            "clean": texts.clean,
            "masked": texts.masked,
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), "utf-8")


def _trace(
    model: TorchModel,
    side: str,
    folder: Path,
    given: dict[str, NDArray[np.generic]],
    axes: list[str],
) -> None:
    names = {name: dict(enumerate(axes)) for name in given} | {"vectors": {0: "batch"}}
    raw = folder / "raw"  # weights of more than 2 GB become a file each
    raw.mkdir()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # a kernel of its own, which ONNX has not
    try:
        with torch.no_grad():
            torch.onnx.export(
                model.tower(side, "fp32"),
                tuple(torch.from_numpy(value).to(model.device) for value in given.values()),
                str(raw / f"{side}.onnx"),
                input_names=list(given),
                output_names=["vectors"],
                dynamic_axes=names,
                opset_version=_OPSET,
                dynamo=False,
            )
    except ModelError:
        raise
    except Exception as error:  # of the exporter, which raises anything
        raise ModelError(
            f"model {model.name}: its {side} tower has no ONNX: {_first_line(error)}"
        ) from None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    _gather(raw, folder, f"{side}.onnx")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _gather(raw: Path, folder: Path, name: str) -> None:
    """Move a graph out of a folder of its own, with its weights in one file at most."""
    import onnx

    if len(list(raw.iterdir())) == 1:
        (raw / name).rename(folder / name)
    else:
        graph = onnx.load(raw / name)
        onnx.save(graph, folder / name, save_as_external_data=True, location=f"{name}_data")
    shutil.rmtree(raw)


def _halve(file: Path) -> None:
    """Weights and sums of 16 bits; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(file), keep_io_types=True), file)


def _quantize(file: Path) -> None:
    """Integers of 7 bits for weights, per channel, in every matrix product but the last.

    Processors without VNNI add two products in 16 bits, which 8 bits overflow. The last product is
    small, and rounding it costs as much likeness as all layers before it; convolutions stay.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quantize: Callable[..., None] = quantize_dynamic
    quant_pre_process(str(file), str(file), skip_symbolic_shape=True)
    graph = onnx.load(file, load_external_data=False).graph
    held = {tensor.name for tensor in graph.initializer}
    products = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and held.intersection(node.input)
    ]
    quantize(
        str(file),
        str(file),
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=products[:-1],
    )


_SMALLER: dict[str, Callable[[Path], None]] = {
    "fp32": lambda file: None,
    "fp16": _halve,
    "int8": _quantize,
}
