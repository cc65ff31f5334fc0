"""Models: pairs of encoders, image and text, into one space; found by name.

`mini` is our own and ships with the package; `local-dir:/path` is a folder of ONNX towers with a
manifest (docs/models.md describes it).
"""

import json
import os
import re
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.confidence import Neutral, summary
from framefind.errors import ModelError

_SHIPPED = Path(__file__).parent


class Model(Protocol):
    """A pair of encoders into one space of `dimensions`; all vectors are unit rows."""

    name: str
    dimensions: int
    size: int
    """Side in pixels of the square picture that the image encoder takes."""
    scale: float
    """Logits per unit of cosine, as learned in training (1 / temperature)."""
    neutral: NDArray[np.float32] | None
    """Neutral pictures as `confidence.summary` gives them, if the model brings them."""

    @property
    def fingerprint(self) -> dict[str, str]:
        """Everything that decides the vectors: name, weights hash, dimensions, preprocessing."""
        ...

    def embed_images(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 (n, dimensions)."""
        ...

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 (n, dimensions)."""
        ...


def full_name(name: str) -> str:
    """The name that a library stores: `mini` becomes its newest version, a folder absolute."""
    if name == "mini":
        return f"mini-{max(_shipped_versions())}"
    if name.startswith("local-dir:"):
        return f"local-dir:{Path(name.removeprefix('local-dir:')).expanduser().resolve()}"
    return name


def load(name: str, device: str = "auto") -> Model:
    """Load a model by name; its towers are opened when they are first used.

    `device` is `auto`, `cpu` or `cuda`. Raises ModelError when there is no such model or device.
    """
    return _load(full_name(name), device)


@cache
def _load(name: str, device: str) -> Model:
    from framefind.models.onnx import OnnxModel

    if name.startswith("local-dir:"):
        return OnnxModel(name, Path(name.removeprefix("local-dir:")), device)
    if re.fullmatch(r"mini-\d+", name) and (_SHIPPED / name).is_dir():
        return OnnxModel(name, _SHIPPED / name, device)
    known = ", ".join(["mini", *(f"mini-{version}" for version in _shipped_versions())])
    raise ModelError(f"unknown model {name!r}: use {known} or local-dir:/path/to/folder")


def _shipped_versions() -> list[int]:
    return sorted(int(folder.name.removeprefix("mini-")) for folder in _SHIPPED.glob("mini-*"))


def neutral(model: Model) -> Neutral:
    """What confidence is measured against: neutral pictures, or texts where a model has none.

    The texts are embedded once per fingerprint and kept in the user's cache folder.
    """
    of_pictures = model.neutral is not None
    rows = _neutral_texts(model) if model.neutral is None else model.neutral
    return Neutral(of_pictures, rows[0], rows[1:])


def _neutral_texts(model: Model) -> NDArray[np.float32]:
    from platformdirs import user_cache_path

    content = (_SHIPPED / "backgrounds.json").read_bytes()
    key = blake2b(content + repr(sorted(model.fingerprint.items())).encode(), digest_size=16)
    file = user_cache_path("framefind") / "neutral" / f"{key.hexdigest()}.npy"
    with suppress(OSError, ValueError):
        return np.asarray(np.load(file), np.float32)
    rows = summary(model.embed_texts(json.loads(content)["texts"]))
    with suppress(OSError):  # a cache that cannot be written costs time only
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}.npy")
        np.save(fresh, rows)
        fresh.replace(file)
    return rows


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
