"""Models by name: load one, open the one of a library again, download, export and check.

Every model is run by one of two runtimes: ONNX encoders by `onnx`, weights for PyTorch by `torch`,
where the extra [torch] is installed. docs/models.md describes names, layouts and devices.
"""

import os
import re
from collections.abc import Collection
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ChoiceError, ModelError
from framefind.models import backends, catalog
from framefind.models.base import Agreement, Model
from framefind.models.catalog import MINI, full_name
from framefind.models.devices import INSTALL_TORCH, parse_device
from framefind.models.layouts import registry as layouts
from framefind.models.layouts.base import PRECISIONS, Files
from framefind.models.layouts.manifest import MANIFEST, read_manifest

__all__ = [
    "check",
    "check_choices",
    "check_runtime",
    "download",
    "export",
    "full_name",
    "interchangeable",
    "is_downloaded",
    "load",
    "reopen",
]

_SHIPPED = Path(__file__).parent
_LOCAL = "local-dir:"
_MAX_NORM_ERROR = 1e-3
_MAX_COSINE_OF_DIFFERENT_INPUTS = 0.9999

_Choosers = dict[str, layouts.Chooser]
"""What chooses the files of each runtime that may be used, best runtime first."""


def load(
    name: str,
    device: str = "auto",
    precision: str = "auto",
    revision: str | None = None,
    threads: int = 0,
) -> Model:
    """Load a model by name; each encoder is opened when it is first used.

    A model of the hub that is not on this machine is downloaded. `device` is `auto`, `cpu`,
    `openvino`, `cuda`, `cuda:1` and so on, or `mps`; `precision` is `fp32`, `fp16`, `bf16`, `int8`
    or `auto`, which the hardware decides; `revision` is a commit of the hub; `threads` bounds the
    threads of the CPU, 0 takes one per core. ONNX Runtime or OpenVINO run ONNX encoders; PyTorch
    runs the rest, and what these cannot: `bf16`, `mps`, and `cuda` where ONNX Runtime has none.

    Raises ModelError when there is no such model, precision or device, it cannot be downloaded, or
    it needs the extra [torch].
    """
    check_choices(device, precision)
    return _load(full_name(name), device, precision, revision, "", threads)


def check_runtime(name: str) -> None:
    """Raise ModelError when a folder holds no model, or a known one needs a missing PyTorch."""
    full = full_name(name)
    if full.startswith(_LOCAL):
        _choose_runtime(Path(full.removeprefix(_LOCAL)), _choosers("auto", "auto"))
    needs_torch = {model.name for model in catalog.known_models() if not model.has_onnx}
    if full.partition("@")[0] in needs_torch and not _has_torch():
        raise ModelError(
            f"model {full} has weights for PyTorch only: {INSTALL_TORCH}, or run `framefind models "
            f"export {full} DIR` where that is installed and `framefind models use local-dir:DIR` "
            "here"
        )


def check_choices(device: str, precision: str) -> None:
    """Raise ChoiceError when no device or precision has that name, here or anywhere."""
    parse_device(device)
    _onnx_precisions(precision, device)


def reopen(
    fingerprint: dict[str, str], device: str = "auto", precision: str = "auto", threads: int = 0
) -> Model:
    """Load the model that made a library's vectors, at their revision.

    ONNX encoders also at their precision; PyTorch chooses one for the device unless it is given.
    """
    name = fingerprint["model"]
    if name == MINI:
        return load(name, device, threads=threads)
    if re.fullmatch(r"mini-\d+", name):
        raise ModelError(
            f"model {name} is not part of this framefind, which brings {MINI}: move the library "
            "over to that with `framefind index --reembed`"
        )
    runtime = fingerprint.get("runtime", "onnx")
    if runtime == "onnx":
        precision = fingerprint.get("precision", "auto")
    elif not _has_torch():
        raise ModelError(
            f"model {name}: PyTorch made these vectors: {INSTALL_TORCH}, or run `framefind models "
            f"export {name} DIR` where that is installed, and search with `model` local-dir:DIR"
        )
    return _load(name, device, precision, fingerprint.get("revision"), runtime, threads)


def interchangeable(stored: dict[str, str], loaded: dict[str, str]) -> bool:
    """Tell from two fingerprints whether vectors of both may be compared.

    They may if the encoders are the same; or if both were made of one checkpoint, `source`, run by
    PyTorch or exported by framefind, neither at int8. Vectors of those have a cosine of at least
    0.99, less their mean (docs/models.md).
    """
    if stored == loaded:
        return True
    source = stored.get("source")
    rounded = "int8" in (stored.get("precision"), loaded.get("precision"))
    return source is not None and source == loaded.get("source") and not rounded


@cache
def _load(
    name: str, device: str, precision: str, revision: str | None, runtime: str, threads: int = 0
) -> Model:
    """Load a model by its full name, by the given runtime or, if that is empty, the best one."""
    from framefind.models.onnx import OnnxModel

    if name == MINI:
        encoders = read_manifest(_SHIPPED / name)
        _check_precision(name, precision, encoders.precision)
        return OnnxModel(name, encoders, device, threads=threads)
    choosers = _choosers(device, precision, runtime)
    commit = ""
    if name.startswith(_LOCAL):
        folder = Path(name.removeprefix(_LOCAL))
    else:
        folder = _find_cached(name, choosers, revision) or _download(
            name, choosers, revision, precision
        )
        commit = folder.name
    if _choose_runtime(folder, choosers) == "torch":
        from framefind.models.torch import TorchModel

        checkpoint = layouts.read_checkpoint(folder)
        return TorchModel(name, checkpoint, device, precision, commit, threads)
    encoders = layouts.read_onnx(folder, _onnx_precisions(precision, device))
    _check_precision(name, precision, encoders.precision)
    return OnnxModel(name, encoders, device, commit, threads)


def _check_precision(name: str, precision: str, existing: str) -> None:
    if precision not in ("auto", existing):
        raise ModelError(
            f"model {name} comes at {existing or 'one precision'} only: omit `precision`"
        )


def _choosers(device: str, precision: str, runtime: str = "") -> _Choosers:
    """Return what chooses files for each runtime that can run this precision on this device.

    Raises ModelError when only PyTorch can, and is not installed.
    """
    precisions = _onnx_precisions(precision, device)
    torch_only = runtime == "torch" or precision == "bf16" or device == "mps"
    if device.startswith("cuda") and not runtime:
        torch_only = not backends.has_cuda() and (_has_torch() or ":" in device)
    if torch_only:
        if not _has_torch():
            needing = "this" if runtime else f"device {device} at precision {precision}"
            raise ModelError(f"{needing} needs torch: {INSTALL_TORCH}")
        return {"torch": layouts.choose_checkpoint}
    choose_onnx = partial(layouts.choose_onnx, precisions=precisions)
    if runtime == "onnx" or precision == "int8" or device == "openvino":
        return {"onnx": choose_onnx}
    choose_torch = layouts.choose_checkpoint if _has_torch() else _refuse_checkpoint
    return {"onnx": choose_onnx, "torch": choose_torch}


def _refuse_checkpoint(names: Collection[str]) -> Files:
    """Raise LookupError, in place of choosing a checkpoint where PyTorch is not installed."""
    layouts.choose_checkpoint(names)
    raise LookupError(
        f"has weights for PyTorch only: {INSTALL_TORCH}, or run `framefind models export NAME DIR` "
        "where that is installed and name local-dir:DIR here"
    )


def _has_torch() -> bool:
    return all(find_spec(name) for name in ("torch", "transformers"))


def _choose_files(choosers: _Choosers, names: Collection[str]) -> tuple[str, Files]:
    """Return the first runtime that has its files among the names, and those files.

    Raises LookupError, with the reasons of all runtimes.
    """
    reasons = []
    for runtime, chooser in choosers.items():
        try:
            return runtime, chooser(names)
        except LookupError as error:
            reasons.append(str(error))
    raise LookupError(", and ".join(reasons))


def _choose_runtime(folder: Path, choosers: _Choosers) -> str:
    """Return the runtime for a model's folder. Raises ModelError."""
    names = layouts.list_files(folder)
    if MANIFEST in names:
        return "onnx"
    try:
        return _choose_files(choosers, names)[0]
    except LookupError as error:
        if {"config.json", "open_clip_config.json"}.isdisjoint(names):
            raise ModelError(
                f"{folder} holds no model: expected {MANIFEST} (framefind's own), "
                "open_clip_config.json (open_clip) or config.json (transformers, Immich)"
            ) from None
        raise ModelError(f"{folder} {error}") from None


def _find_cached(name: str, choosers: _Choosers, revision: str | None = None) -> Path | None:
    """Return the folder of a model of the hub that is on this machine for one of the runtimes."""
    from framefind.models import hub

    for runtime, chooser in choosers.items():
        repository, named_revision = catalog.find_repository(name, runtime)
        folder = hub.find_cached(repository, revision or named_revision, chooser)
        if folder:
            return folder
    return None


def _download(
    name: str, choosers: _Choosers, revision: str | None = None, precision: str = "auto"
) -> Path:
    from framefind.models import hub

    if catalog.is_known(name):  # each runtime has a repository of its own: take the best
        best = next(iter(choosers))
        choosers = {best: choosers[best]}
    repository, named_revision = catalog.find_repository(name, [*choosers][-1])

    def choose(names: Collection[str]) -> Files:
        return _choose_files(choosers, names)[1]

    option = "" if precision == "auto" else f" --precision {precision}"
    command = f"framefind models download {name}{option}"
    suggest = partial(_suggest_names, name)
    return hub.download(name, repository, revision or named_revision, choose, command, suggest)


def _suggest_names(name: str) -> str:
    """Return what an error says about a name that the hub does not know."""
    more = "" if find_spec("open_clip") else f"; other names of open_clip need {INSTALL_TORCH}"
    return f"{catalog.suggest_names(name)}{more}"


def download(name: str, precision: str = "auto") -> Path:
    """Download a model by name, or complete and repair one that was; return its folder.

    Raises ModelError as `load` does, and for models that are not of the hub.
    """
    full = full_name(name)
    if full == MINI or full.startswith(_LOCAL):
        raise ModelError(f"{full} is on this machine already; only models of the hub download")
    return _download(full, _choosers("auto", precision), None, precision)


def is_downloaded(name: str) -> bool:
    """Return whether a model of the hub is on this machine, at any precision."""
    choosers: _Choosers = {"onnx": layouts.choose_onnx, "torch": layouts.choose_checkpoint}
    return _find_cached(name, choosers) is not None


def export(name: str, folder: str | os.PathLike[str], precision: str = "fp32") -> Agreement:
    """Write the encoders of a PyTorch model as ONNX, for `local-dir:` where there is no torch.

    `precision` is `fp32`, `fp16` or `int8`. Returns how close the encoders come to the model;
    raises ModelError, and writes nothing, where that is not close enough.
    """
    full = full_name(name)
    if full == MINI:
        raise ModelError(f"{full} is ONNX already: it runs without torch")
    model = _load(full, "cpu", "fp32", None, "torch")
    from framefind.models.export_onnx import export as write

    return write(model, Path(os.path.abspath(os.path.expanduser(folder))), precision)  # type: ignore[arg-type]


def _onnx_precisions(precision: str, device: str) -> list[str]:
    """Return the precisions of ONNX encoders that will do, best first. Raises ChoiceError."""
    if precision in (*PRECISIONS, "bf16"):
        return [precision]
    if precision != "auto":
        raise ChoiceError(f"precision {precision!r}: use auto, fp32, fp16, bf16 or int8")
    on_gpu = device.startswith(("auto", "cuda")) and backends.has_cuda()
    return ["fp16", "fp32", "int8"] if on_gpu else ["fp32", "fp16", "int8"]


def check(model: Model) -> None:
    """Embed two fixed images and two texts, and refuse useless vectors.

    Raises ModelError when vectors are not finite, not of unit length, of the wrong shape, or when
    two different inputs give the same vector.
    """
    ramp = np.linspace(0, 255, model.size, dtype=np.uint8)
    gradient = np.broadcast_to(ramp[:, None, None], (model.size, model.size, 3))
    squares = np.indices((model.size, model.size)).sum(axis=0) // 16 % 2 * np.uint8(255)
    checkers = np.stack([squares, 255 - squares, squares // 2], axis=-1).astype(np.uint8)
    _check_vectors(model, "image", model.embed_images(np.stack([gradient, checkers])))
    _check_vectors(
        model, "text", model.embed_texts(["a dog on a beach", "an empty parking garage"])
    )


def _check_vectors(model: Model, side: str, vectors: NDArray[np.float32]) -> None:
    if vectors.shape != (2, model.dimensions):
        problem = f"vectors of shape {vectors.shape}, expected (2, {model.dimensions})"
    elif not np.isfinite(vectors).all():
        problem = "vectors that are not finite"
    elif np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > _MAX_NORM_ERROR:
        problem = "vectors that are not of unit length"
    elif float(vectors[0] @ vectors[1]) > _MAX_COSINE_OF_DIFFERENT_INPUTS:
        problem = "the same vector for different inputs"
    else:
        return
    raise ModelError(f"model {model.name}: its {side} encoder gives {problem}; export it again")
