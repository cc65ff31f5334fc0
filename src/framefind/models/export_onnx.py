"""Export of a checkpoint as ONNX encoders, which run without PyTorch.

The folder that it writes has framefind's own layout, `manifest.json`, and loads by `local-dir:`.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from framefind.errors import ChoiceError, ModelError
from framefind.models.base import Agreement
from framefind.models.layouts.base import ImageEncoder
from framefind.models.layouts.manifest import read_manifest, write_manifest
from framefind.models.messages import first_line
from framefind.models.onnx import OnnxModel
from framefind.models.tokenizer import encode_texts, open_tokenizer
from framefind.models.torch import TorchModel

MIN_COSINES = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.98}
"""Lowest cosine, less the mean, of an export's vectors with PyTorch's at fp32."""

_OPSET = 17
_TEST_IMAGES = 64
_TEST_TEXTS = Path(__file__).with_name("backgrounds.json")
_ODD_TEXTS = ["", "Ünïcode, naïve café", "🎬 a clapperboard", "犬が浜辺を走る", "word " * 200]


def export(model: TorchModel, folder: Path, precision: str = "fp32") -> Agreement:
    """Write the model's encoders to a new folder, at `fp32`, `fp16` or `int8`, and check them.

    Raises ModelError, and leaves nothing behind, when the folder is there already, the model
    cannot be exported, or the encoders do not agree with the model within MIN_COSINES.
    """
    if precision not in MIN_COSINES:
        raise ChoiceError(f"precision {precision!r}: export fp32, fp16 or int8")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: is there already: name a new folder")
    fresh = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        _write(model, fresh, precision)
        agreement = compare(model, fresh)
        if min(agreement.images, agreement.texts) < MIN_COSINES[precision]:
            raise ModelError(
                f"model {model.name}: its export at {precision} does not agree with it (cosines "
                f"down to {agreement.images:.4f} of images and {agreement.texts:.4f} of texts, not "
                f"{MIN_COSINES[precision]}): nothing was written; try `precision` fp32"
            )
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return agreement


def compare(model: TorchModel, folder: Path) -> Agreement:
    """Compare the encoders in a folder with the model at fp32, on synthetic images and texts."""
    exported = OnnxModel(f"local-dir:{folder}", read_manifest(folder), "cpu")
    exact = TorchModel(model.name, model.checkpoint, str(model.device), "fp32")
    images = _synthesize_images(model.size)
    texts = [*json.loads(_TEST_TEXTS.read_text("utf-8"))["texts"], *_ODD_TEXTS]
    return Agreement(
        _lowest_cosine(exported.embed_images(images), exact.embed_images(images)),
        _lowest_cosine(exported.embed_texts(texts), exact.embed_texts(texts)),
    )


def _lowest_cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the lowest cosine of corresponding rows, each less the mean of theirs."""
    mean = theirs.mean(axis=0)
    ours = ours - mean
    theirs = theirs - mean
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)).min())


def _synthesize_images(size: int) -> NDArray[np.uint8]:
    """Return uint8 (n, size, size, 3) with the spectrum of photographs.

    Its power falls with the square of the frequency.
    """
    random = np.random.default_rng(0)
    across, down = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))
    falling = 1 / np.maximum(np.hypot(across, down), 1 / size)
    noise = np.fft.fft2(random.normal(size=(_TEST_IMAGES, 3, size, size)))
    waves = np.fft.ifft2(noise * falling).real
    waves += 2 * waves[:, :1]  # the channels of photographs vary together
    waves /= waves.std(axis=(1, 2, 3), keepdims=True)
    bright = random.uniform(64, 192, (_TEST_IMAGES, 3, 1, 1))
    levels = np.clip(bright + random.uniform(20, 70, (_TEST_IMAGES, 1, 1, 1)) * waves, 0, 255)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1).astype(np.uint8))


def _write(model: TorchModel, folder: Path, precision: str) -> None:
    """Write graphs, tokenizer and manifest. Raises ModelError when they cannot be made."""
    checkpoint = model.checkpoint
    text = checkpoint.encoders.text
    tokenizer = open_tokenizer(text)
    images = np.zeros((2, model.size, model.size, 3), np.uint8)
    _trace(model, "image", folder, {"images": images}, ["batch"])
    ids, mask = encode_texts(tokenizer, text, ["a dog", "a cat"])
    axes = ["batch"] if text.pad is not None else ["batch", "length"]
    _trace(model, "text", folder, {"input_ids": ids, "attention_mask": mask}, axes)
    try:
        for side in ("image", "text"):
            _REDUCERS[precision](folder / f"{side}.onnx")
    except Exception as error:  # of onnx and ONNX Runtime, mostly for encoders above 2 GB
        raise ModelError(
            f"model {model.name}: cannot be made {precision} ({first_line(error)}): export fp32"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    exported = replace(
        checkpoint.encoders,
        image=ImageEncoder(folder / "image.onnx", model.size, model.resize),
        text=replace(text, file=folder / "text.onnx", tokenizer=folder / "tokenizer.json"),
        scale=model.scale,
        precision=precision,
        source=checkpoint.source(),
    )
    write_manifest(folder, model.name, exported)


def _trace(
    model: TorchModel,
    side: str,
    folder: Path,
    inputs: dict[str, NDArray[np.generic]],
    axes: list[str],
) -> None:
    """Write the graph of one encoder, traced on example inputs; `axes` are their dynamic axes."""
    dynamic_axes = {name: dict(enumerate(axes)) for name in inputs} | {"vectors": {0: "batch"}}
    raw = folder / "raw"  # weights of more than 2 GB become a file each
    raw.mkdir()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it is a kernel of PyTorch that ONNX lacks
    try:
        with torch.no_grad():
            torch.onnx.export(
                model.load_encoder(side, "fp32"),
                tuple(torch.from_numpy(value).to(model.device) for value in inputs.values()),
                str(raw / f"{side}.onnx"),
                input_names=list(inputs),
                output_names=["vectors"],
                dynamic_axes=dynamic_axes,
                opset_version=_OPSET,
                dynamo=False,
            )
    except ModelError:
        raise
    except Exception as error:  # of the exporter, which raises anything
        raise ModelError(
            f"model {model.name}: its {side} encoder has no ONNX: {first_line(error)}"
        ) from None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    _gather(raw, folder, f"{side}.onnx")


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
    """Convert weights and sums to 16 bits; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(file), keep_io_types=True), file)


def _quantize(file: Path) -> None:
    """Round weights to integers of 7 bits, per channel, in every matrix product but the last.

    Processors without VNNI add two products in 16 bits, which 8 bits overflow. The last product is
    small, and rounding it costs as much accuracy as all layers before it; convolutions stay.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quantize: Callable[..., None] = quantize_dynamic
    quant_pre_process(str(file), str(file), skip_symbolic_shape=True)
    graph = onnx.load(file, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    products = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and weights.intersection(node.input)
    ]
    quantize(
        str(file),
        str(file),
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=products[:-1],
    )


_REDUCERS: dict[str, Callable[[Path], None]] = {
    "fp32": lambda file: None,
    "fp16": _halve,
    "int8": _quantize,
}
