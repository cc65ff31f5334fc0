"""Models: pairs of encoders, image and text, into one space; found by name.

`mini` is our own and ships with the package; known names and repositories of the Hugging Face hub
are downloaded; `local-dir:/path` is a folder. ONNX Runtime runs what comes as ONNX, and PyTorch,
where the extra [torch] is installed, every other checkpoint. docs/models.md describes them.
"""

import os
import re
from collections.abc import Collection
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ChoiceError, ModelError
from framefind.models import backends, catalog, checkpoints, layouts
from framefind.models.base import Model
from framefind.models.catalog import MINI, full_name

if TYPE_CHECKING:
    from framefind.models.export_onnx import Agreement

__all__ = [
    "check",
    "check_choices",
    "download",
    "export",
    "full_name",
    "interchangeable",
    "is_here",
    "load",
    "reopen",
]

_SHIPPED = Path(__file__).parent
_DEVICES = (*backends.DEVICES, "mps")


def load(
    name: str, device: str = "auto", precision: str = "auto", revision: str | None = None
) -> Model:
    """Load a model by name; its towers are opened when they are first used.

    A model of the hub that is not on this machine is downloaded. `device` is `auto`, `cpu`,
    `openvino`, `cuda`, `cuda:1` and so on, or `mps`; `precision` is `fp32`, `fp16`, `bf16`, `int8`
    or `auto`, which the hardware decides; `revision` is a commit of the hub. ONNX Runtime or
    OpenVINO run what has ONNX towers (`engines`); PyTorch the rest, and what the former cannot:
    `bf16`, `mps`, and `cuda` where it has none.

    Raises ModelError when there is no such model, precision or device, it cannot be downloaded, or
    it needs the extra [torch].
    """
    check_choices(device, precision)
    return _load(full_name(name), device, precision, revision, "")


def check_choices(device: str, precision: str) -> None:
    """Raise ChoiceError when no device or precision has that name, here or anywhere."""
    if device not in _DEVICES and not (device[:5] == "cuda:" and device[5:].isdecimal()):
        raise ChoiceError(f"device {device!r}: use {', '.join(_DEVICES)}, or cuda:1 and so on")
    precisions(precision, device)


def reopen(fingerprint: dict[str, str], device: str = "auto", precision: str = "auto") -> Model:
    """Load the model that made a library's vectors, at their revision.

    ONNX towers also at their precision; PyTorch chooses one for the device unless it is given.
    """
    name = fingerprint["model"]
    if name == MINI:
        return load(name, device)
    if re.fullmatch(r"mini-\d+", name):
        raise ModelError(
            f"model {name} is no part of framefind any more: move the library over to {MINI} with "
            "`framefind index --reembed`"
        )
    runtime = fingerprint.get("runtime", "onnx")
    if runtime == "onnx":
        precision = fingerprint.get("precision", "auto")
    elif not _has_torch():
        raise ModelError(
            f"model {name}: PyTorch made these vectors: {checkpoints.INSTALL}, or run `framefind "
            f"models export {name} DIR` where that is installed and search with --model "
            "local-dir:DIR"
        )
    return _load(name, device, precision, fingerprint.get("revision"), runtime)


def interchangeable(made: dict[str, str], here: dict[str, str]) -> bool:
    """Whether vectors of two fingerprints may be compared: they are of the same model.

    That is the same towers; or towers of the same checkpoint, `source`, run by PyTorch or exported
    by us, neither at int8. Vectors of those have a cosine of at least 0.99, less their mean
    (docs/models.md).
    """
    if made == here:
        return True
    source = made.get("source")
    exact = "int8" not in (made.get("precision"), here.get("precision"))
    return source is not None and source == here.get("source") and exact


@cache
def _load(name: str, device: str, precision: str, revision: str | None, runtime: str) -> Model:
    from framefind.models.onnx import OnnxModel

    if name == MINI:
        pair = layouts.read(_SHIPPED / name)
        _check_precision(name, precision, pair.precision)
        return OnnxModel(name, pair, device)
    choosers = _choosers(device, precision, runtime)
    commit = ""
    if name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:"))
    else:
        folder = _cached(name, choosers, revision) or _download(name, choosers, revision, precision)
        commit = folder.name
    found = _runtime(folder, choosers)
    if found == "torch":
        from framefind.models.torch import TorchModel

        return TorchModel(name, checkpoints.read(folder), device, precision, commit)
    pair = layouts.read(folder, choosers.get("onnx", layouts.choose))
    _check_precision(name, precision, pair.precision)
    return OnnxModel(name, pair, device, commit)


def _check_precision(name: str, wanted: str, found: str) -> None:
    if wanted not in ("auto", found):
        only = found or "one precision"
        raise ModelError(f"model {name} comes at {only} only: leave --precision to auto")


_Choosers = dict[str, layouts.Choose]
"""For each runtime that may be taken, best first, what chooses its files."""


def _choosers(device: str, precision: str, runtime: str = "") -> _Choosers:
    """Raises ModelError for a precision or device that is unknown, or that only torch has."""
    wanted = precisions(precision, device)
    torch_only = runtime == "torch" or precision == "bf16" or device == "mps"
    if device.startswith("cuda") and not runtime:
        torch_only = not backends.has_cuda() and (_has_torch() or ":" in device)
    if torch_only:
        if not _has_torch():
            what = "this" if runtime else f"device {device} at precision {precision}"
            raise ModelError(f"{what} needs torch: {checkpoints.INSTALL}")
        return {"torch": checkpoints.choose}
    onnx = partial(layouts.choose, precisions=wanted)
    if runtime == "onnx" or precision == "int8" or device == "openvino":
        return {"onnx": onnx}
    return {"onnx": onnx, "torch": checkpoints.choose if _has_torch() else checkpoints.refuse}


def _has_torch() -> bool:
    return all(find_spec(name) for name in ("torch", "transformers"))


def _any_of(choosers: _Choosers, names: Collection[str]) -> tuple[str, layouts.Files]:
    """The first runtime that has its files among the names, and those. Raises LookupError."""
    reasons = []
    for runtime, chooser in choosers.items():
        try:
            return runtime, chooser(names)
        except LookupError as error:
            reasons.append(str(error))
    raise LookupError(", and ".join(reasons))


def _runtime(folder: Path, choosers: _Choosers) -> str:
    """The runtime for a model's folder. Raises ModelError."""
    names = layouts.files_in(folder)
    if "manifest.json" in names:
        return "onnx"
    try:
        return _any_of(choosers, names)[0]
    except LookupError as error:
        if {"config.json", "open_clip_config.json"}.isdisjoint(names):
            layouts.read(folder)  # says what is expected
        raise ModelError(f"{folder} {error}") from None


def _cached(name: str, choosers: _Choosers, revision: str | None = None) -> Path | None:
    """The folder of a model of the hub, if it is on this machine for one of the runtimes."""
    from framefind.models import hub

    for runtime, chooser in choosers.items():
        repository, named = catalog.repository(name, runtime)
        if folder := hub.cached(repository, revision or named, chooser):
            return folder
    return None


def _download(
    name: str, choosers: _Choosers, revision: str | None = None, precision: str = "auto"
) -> Path:
    from framefind.models import hub

    if catalog.is_known(name):  # each runtime has a repository of its own: take the best
        choosers = dict([*choosers.items()][:1])
    repository, named = catalog.repository(name, [*choosers][-1])
    wanted = revision or named
    return hub.download(
        name, repository, wanted, lambda names: _any_of(choosers, names)[1], precision
    )


def download(name: str, precision: str = "auto") -> Path:
    """Download a model by name, or complete and repair one that was; gives its folder.

    Raises ModelError as `load` does, and for models that are not of the hub.
    """
    full = full_name(name)
    if full == MINI or full.startswith("local-dir:"):
        raise ModelError(f"{full} is on this machine already; only models of the hub download")
    return _download(full, _choosers("auto", precision), None, precision)


def export(name: str, folder: str | os.PathLike[str], precision: str = "fp32") -> "Agreement":
    """Write the towers of a PyTorch model as ONNX, for `local-dir:` where there is no torch.

    `precision` is `fp32`, `fp16` or `int8`. Says how near the towers come to the model; raises
    ModelError, and writes nothing, where that is not near enough.
    """
    full = full_name(name)
    if full == MINI:
        raise ModelError(f"{full} is ONNX already: it runs without torch")
    model = _load(full, "cpu", "fp32", None, "torch")
    from framefind.models.export_onnx import export as write

    return write(model, Path(os.path.abspath(os.path.expanduser(folder))), precision)  # type: ignore[arg-type]


def is_here(name: str) -> bool:
    """Whether a known model is on this machine, at any precision."""
    runtimes: _Choosers = {"onnx": layouts.choose, "torch": checkpoints.choose}
    return _cached(name, runtimes) is not None


def precisions(precision: str, device: str) -> list[str]:
    """The precisions of ONNX towers that will do, best first. Raises ModelError."""
    if precision in (*layouts.PRECISIONS, "bf16"):
        return [precision]
    if precision != "auto":
        raise ChoiceError(f"precision {precision!r}: use auto, fp32, fp16, bf16 or int8")
    on_gpu = device.startswith(("auto", "cuda")) and backends.has_cuda()
    return ["fp16", "fp32", "int8"] if on_gpu else ["fp32", "fp16", "int8"]


def check(model: Model) -> None:
    """Self-test: embed two fixed pictures and two texts, and refuse useless vectors.

    Raises ModelError when vectors are not finite, not of unit length, of the wrong shape, or when
    two different inputs give the same vector.
    """
    ramp = np.linspace(0, 255, model.size, dtype=np.uint8)
    gradient = np.broadcast_to(ramp[:, None, None], (model.size, model.size, 3))
    squares = np.indices((model.size, model.size)).sum(axis=0) // 16 % 2 * np.uint8(255)
    checkers = np.stack([squares, 255 - squares, squares // 2], axis=-1).astype(np.uint8)
    _check_pair(model, "picture", model.embed_images(np.stack([gradient, checkers])))
    _check_pair(model, "text", model.embed_texts(["a dog on a beach", "an empty parking garage"]))


def _check_pair(model: Model, kind: str, vectors: NDArray[np.float32]) -> None:
    if vectors.shape != (2, model.dimensions):
        problem = f"vectors of shape {vectors.shape}, expected (2, {model.dimensions})"
    elif not np.isfinite(vectors).all():
        problem = "vectors that are not finite"
    elif np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3:
        problem = "vectors that are not of unit length"
    elif float(vectors[0] @ vectors[1]) > 0.9999:
        problem = "the same vector for different inputs"
    else:
        return
    raise ModelError(f"model {model.name}: its {kind} encoder gives {problem}; export it again")
