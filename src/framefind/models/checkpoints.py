"""Checkpoints for PyTorch: which files hold one, and what has to be known to run it.

Two kinds: of transformers (CLIP, SigLIP and SigLIP 2; also inside a sentence-transformers folder)
and of open_clip. Nothing is opened here but JSON and the headers of safetensors: torch stays out.
"""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

from framefind.errors import ModelError
from framefind.models import layouts as towers
from framefind.models.layouts import CLIP_PAD, Files, Texts, Towers
from framefind.models.weights_hash import weights_hash

INSTALL = "pip install 'framefind[torch]'"

_SHARDS = "model.safetensors.index.json"
_TRANSFORMERS = ("model.safetensors", _SHARDS)
_OPEN_CLIP = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pt",
    "model.safetensors",
)
_VOCABULARY = ("vocab.json", "merges.txt")
_KNOWN_TEXTS = {"clean"}  # of open_clip's tokenizer_kwargs


@dataclass(frozen=True)
class Checkpoint:
    """Weights for PyTorch. `kind` is `transformers` or `open_clip`, `folder` where they lie."""

    kind: str
    folder: Path
    towers: Towers
    weights: tuple[Path, ...]

    def hash(self) -> str:
        """BLAKE2b-128 over weights and tokenizer, in hex. Raises ModelError."""
        try:
            return weights_hash([*self.weights, self.towers.texts.tokenizer])
        except OSError as error:
            raise ModelError(f"{error.filename}: {error.strerror}") from None

    def source(self) -> str:
        """What all towers made of this checkpoint share: weights, tokenizer and preprocessing."""
        said = f"{self.hash()}\n{self.towers.preprocessing}"
        return blake2b(said.encode(), digest_size=16).hexdigest()


def choose(names: Collection[str]) -> Files:
    """Choose the checkpoint among a repository's files.

    Raises LookupError, whose message begins with "has", when it has none.
    """
    if _is_transformers(names):
        return _files(names, "", _TRANSFORMERS)
    if "open_clip_config.json" in names and any(name in names for name in _OPEN_CLIP):
        return _files(names, "", _OPEN_CLIP)
    for name in names:
        path = PurePosixPath(name)
        inside = [other.removeprefix(f"{path.parent}/") for other in names]
        if path.name in _TRANSFORMERS and "modules.json" in names and _is_transformers(inside):
            return _files(names, f"{path.parent}/", _TRANSFORMERS)
    if any(name.endswith(("pytorch_model.bin", ".pt", ".pth", ".ckpt")) for name in names):
        raise LookupError("has pickled weights only, which could run anything: ask for safetensors")
    raise LookupError("has no checkpoint (model.safetensors or open_clip_model.safetensors)")


def refuse(names: Collection[str]) -> Files:
    """What takes the place of `choose` where torch is not installed. Raises LookupError."""
    choose(names)
    raise LookupError(
        f"has weights for PyTorch only: {INSTALL}, or run `framefind models export NAME DIR` where "
        "that is installed and name local-dir:DIR here"
    )


def _is_transformers(names: Collection[str]) -> bool:
    """Whether transformers can read it; timm's repositories have the same names but the last."""
    settings = {"preprocessor_config.json", "processor_config.json"}.intersection(names)
    return "config.json" in names and bool(settings) and any(one in names for one in _TRANSFORMERS)


def _files(names: Collection[str], inside: str, wanted: Collection[str]) -> Files:
    weights = next(inside + name for name in wanted if inside + name in names)
    here = [name.removeprefix(inside) for name in names if name.startswith(inside)]
    needed = [*towers.settings_among(here), *(name for name in _VOCABULARY if name in here)]
    if weights.endswith(_SHARDS):
        needed += [name for name in here if name.startswith("model-") and "safetensors" in name]
    outside = ["modules.json"] if inside else []
    found = {weights, *(inside + name for name in needed), *outside}
    return Files(weights, weights, "", tuple(sorted(found)))


def read(folder: Path) -> Checkpoint:
    """Read the settings of the checkpoint in a folder.

    Raises ModelError when it holds none, lacks a shard, or its settings are missing or malformed.
    """
    try:
        files = choose(towers.files_in(folder))
    except LookupError as error:
        raise ModelError(f"{folder} {error}") from None
    file = folder / files.pictures
    holder = file.parent
    transformers = _is_transformers([one.name for one in holder.iterdir()])
    by = "config.json" if transformers else "open_clip_config.json"
    found = towers.read(holder, lambda names: Files(file.name, file.name, "", ()), by)
    texts = found.texts
    if not transformers:
        config = json.loads((holder / by).read_text("utf-8"))
        texts = _open_clip_texts(holder / by, config.get("model_cfg", config)["text_cfg"], texts)
    elif not texts.tokenizer.exists():
        texts = replace(texts, tokenizer=holder / "vocab.json")
    weights = _shards(file)
    found = replace(found, texts=texts, scale=_scale(weights, found.scale))
    return Checkpoint("transformers" if transformers else "open_clip", holder, found, weights)


def _open_clip_texts(file: Path, text: dict[str, Any], found: Texts) -> Texts:
    """How open_clip's own tokenizer pads. Raises ModelError for settings that are unknown."""
    unknown = {*(text.get("tokenizer_kwargs") or {})} - _KNOWN_TEXTS
    unknown |= {key for key in ("tokenizer_mode", "tokenizer_type", "variable_text") if key in text}
    if unknown:
        said = ", ".join(sorted(unknown))
        raise ModelError(f"{file}: framefind does not know {said}")
    return found if text.get("hf_tokenizer_name") else replace(found, pad=CLIP_PAD)


def missing(folder: Path, names: Collection[str]) -> list[str]:
    """Shards of weights that an index among the files names, and that are not in the folder."""
    found = []
    for name in names:
        if name.endswith(_SHARDS):
            index = json.loads((folder / name).read_text("utf-8"))
            shards = {(folder / name).with_name(shard) for shard in index["weight_map"].values()}
            found += [shard.name for shard in sorted(shards) if not shard.exists()]
    return found


def _shards(file: Path) -> tuple[Path, ...]:
    """The files that hold the weights: the one given, or those that an index names."""
    if file.name != _SHARDS:
        return (file,)
    try:
        if gone := missing(file.parent, [file.name]):
            raise ModelError(f"{file.parent / gone[0]}: missing, but {file.name} names it")
        index = json.loads(file.read_text("utf-8"))
        return tuple(sorted({file.with_name(shard) for shard in index["weight_map"].values()}))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None


def _scale(weights: Collection[Path], otherwise: float) -> float:
    """What the model multiplies cosines with, as it was learned: the weights hold its logarithm."""
    for file in weights:
        if file.suffix == ".safetensors" and (value := _scalar(file, "logit_scale")) is not None:
            return math.exp(value)
    return otherwise


def _scalar(file: Path, name: str) -> float | None:
    """One number of a safetensors file, whose header says where it lies. Raises ModelError."""
    import numpy as np

    types: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            entry = json.loads(stream.read(min(size, 1 << 27))).get(name)
            if entry is None:
                return None
            stream.seek(8 + size + entry["data_offsets"][0])
            if entry["dtype"] == "BF16":  # the upper half of a float32
                return float(np.frombuffer(b"\0\0" + stream.read(2), np.float32)[0])
            kind = np.dtype(types[entry["dtype"]])
            return float(np.frombuffer(stream.read(kind.itemsize), kind)[0])
    except (OSError, ValueError, KeyError, IndexError, AttributeError, MemoryError) as error:
        raise ModelError(f"{file}: no safetensors file: {error}") from None
