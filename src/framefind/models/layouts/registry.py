"""All layouts, and the choice among them: by names in a repository, and then in a folder."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from framefind.errors import ModelError
from framefind.models.layouts.base import (
    PRECISIONS,
    Checkpoint,
    CheckpointLayout,
    Encoders,
    Files,
    OnnxLayout,
)
from framefind.models.layouts.immich import Immich
from framefind.models.layouts.manifest import MANIFEST, read_manifest
from framefind.models.layouts.open_clip import OpenClip
from framefind.models.layouts.sentence_transformers import SentenceTransformers
from framefind.models.layouts.transformers import Transformers
from framefind.models.layouts.transformers_js import TransformersJs

ONNX_LAYOUTS: tuple[OnnxLayout, ...] = (
    TransformersJs(),
    Immich(),
)
CHECKPOINT_LAYOUTS: tuple[CheckpointLayout, ...] = (
    Transformers(),
    OpenClip(),
    SentenceTransformers(),
)

Chooser = Callable[[Collection[str]], Files]
"""Chooses among the names of a repository's files. Raises LookupError, as `choose_onnx` does."""

_PICKLES = ("pytorch_model.bin", ".pt", ".pth", ".ckpt")


def choose_onnx(names: Collection[str], precisions: Sequence[str] = PRECISIONS) -> Files:
    """Choose ONNX encoders among a repository's files, at the first of `precisions` it has.

    Raises LookupError, whose message begins with "has", when it has none, or none of these.
    """
    return _find_onnx(names, precisions)[1]


def choose_checkpoint(names: Collection[str]) -> Files:
    """Choose weights for PyTorch among a repository's files.

    Raises LookupError, whose message begins with "has", when it has none.
    """
    return _find_checkpoint(names)[1]


def read_onnx(folder: Path, precisions: Sequence[str] = PRECISIONS) -> Encoders:
    """Read the settings of the ONNX encoders in a folder: of its manifest, where it has one.

    Raises ModelError when it holds none, or its settings are missing or malformed.
    """
    names = list_files(folder)
    if MANIFEST in names:
        return read_manifest(folder)
    try:
        layout, files = _find_onnx(names, precisions)
    except LookupError as error:
        raise ModelError(f"{folder} {error}") from None
    return layout.read(folder, files)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the settings of the weights for PyTorch in a folder.

    Raises ModelError when it holds none, lacks a shard, or its settings are missing or malformed.
    """
    try:
        layout, files = _find_checkpoint(list_files(folder))
    except LookupError as error:
        raise ModelError(f"{folder} {error}") from None
    return layout.read(folder, files)


def list_files(folder: Path) -> list[str]:
    """Return the names of the files in a model's folder and one level down."""
    entries = [*folder.glob("*"), *folder.glob("*/*")]
    return [entry.relative_to(folder).as_posix() for entry in entries if entry.is_file()]


def _find_onnx(names: Collection[str], precisions: Sequence[str]) -> tuple[OnnxLayout, Files]:
    for layout in ONNX_LAYOUTS:
        by_precision = layout.find(names)
        for precision in precisions:
            if precision in by_precision:
                return layout, by_precision[precision]
        if by_precision:
            raise LookupError(f"has no {precisions[0]} encoders, only {', '.join(by_precision)}")
    examples = " or ".join(layout.example for layout in ONNX_LAYOUTS)
    raise LookupError(f"has no ONNX encoders ({examples})")


def _find_checkpoint(names: Collection[str]) -> tuple[CheckpointLayout, Files]:
    for layout in CHECKPOINT_LAYOUTS:
        files = layout.find(names)
        if files:
            return layout, files
    if any(name.endswith(_PICKLES) for name in names):
        raise LookupError("has pickled weights only, which could run anything: ask for safetensors")
    examples = " or ".join(layout.example for layout in CHECKPOINT_LAYOUTS)
    raise LookupError(f"has no checkpoint ({examples})")
