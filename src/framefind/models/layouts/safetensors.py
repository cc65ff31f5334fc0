"""Weights in safetensors: their shards, and the one number that is read without PyTorch."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from framefind.errors import ModelError

SHARD_INDEX = "model.safetensors.index.json"

_MAX_HEADER_BYTES = 1 << 27
_TYPES: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def find_shards(file: Path) -> tuple[Path, ...]:
    """Return the files of weights: the given one, or those that it names where it is an index.

    Raises ModelError when an index is malformed, or a file that it names is missing.
    """
    if file.name != SHARD_INDEX:
        return (file,)
    shards = read_index(file)
    for shard in shards:
        if not shard.exists():
            raise ModelError(f"{shard}: missing, but {file.name} names it")
    return shards


def read_index(file: Path) -> tuple[Path, ...]:
    """Return the shards that an index names, in order. Raises ModelError when it is malformed."""
    try:
        names = json.loads(file.read_text("utf-8"))["weight_map"].values()
        return tuple(sorted({file.with_name(name) for name in names}))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None


def read_scale(weights: Collection[Path], default: float) -> float:
    """Return the learned scale of cosines, whose logarithm stands among the weights."""
    for file in weights:
        if file.suffix == ".safetensors":
            logarithm = read_scalar(file, "logit_scale")
            if logarithm is not None:
                return math.exp(logarithm)
    return default


def read_scalar(file: Path, name: str) -> float | None:
    """Read one number of a safetensors file; None where it has none of that name.

    The package safetensors cannot read bf16 without PyTorch. Raises ModelError.
    """
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            entry = json.loads(stream.read(min(size, _MAX_HEADER_BYTES))).get(name)
            if entry is None:
                return None
            stream.seek(8 + size + entry["data_offsets"][0])
            if entry["dtype"] == "BF16":  # the upper half of a float32
                return float(np.frombuffer(b"\0\0" + stream.read(2), np.float32)[0])
            dtype = np.dtype(_TYPES[entry["dtype"]])
            return float(np.frombuffer(stream.read(dtype.itemsize), dtype)[0])
    except (OSError, ValueError, KeyError, IndexError, AttributeError, MemoryError) as error:
        raise ModelError(f"{file}: no safetensors file: {error}") from None
