"""Models: pairs of encoders, image and text, into one space; found by name.

`mini` is our own and ships with the package; known names and repositories of the Hugging Face hub
are downloaded; `local-dir:/path` is a folder of ONNX towers. docs/models.md describes them.
"""

import json
import os
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.confidence import Neutral
from framefind.errors import ModelError
from framefind.models.known import full_name, shipped

__all__ = ["Model", "check", "full_name", "load", "neutral", "precisions", "reopen", "shipped"]

_SHIPPED = Path(__file__).parent


class Model(Protocol):
    """A pair of encoders into one space of `dimensions`; all vectors are unit rows."""

    name: str
    dimensions: int
    size: int
    """Side in pixels of the square picture that the image encoder takes."""
    scale: float
    """Logits per unit of cosine, as learned in training (1 / temperature)."""
    neutral: Neutral | None
    """Neutral pictures, if the model brings them."""

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


def load(
    name: str, device: str = "auto", precision: str = "auto", revision: str | None = None
) -> Model:
    """Load a model by name; its towers are opened when they are first used.

    A model of the hub that is not on this machine is downloaded. `device` is `auto`, `cpu` or
    `cuda`; `precision` is `fp32`, `fp16`, `int8` or `auto`: fp16 on a GPU and fp32 elsewhere, or
    what there is; `revision` is a commit of the hub. Raises ModelError when there is no such
    model, precision or device, or it cannot be downloaded.
    """
    return _load(full_name(name), device, precision, revision)


def reopen(fingerprint: dict[str, str], device: str = "auto") -> Model:
    """Load the model that made a library's vectors: at their precision and revision."""
    precision, revision = fingerprint.get("precision", "auto"), fingerprint.get("revision")
    return load(fingerprint["model"], device, precision, revision)


@cache
def _load(name: str, device: str, precision: str, revision: str | None) -> Model:
    from framefind.models import towers
    from framefind.models.onnx import OnnxModel

    commit = ""
    if name in shipped():
        pair = towers.read(_SHIPPED / name)
    elif name.startswith("local-dir:"):
        pair = towers.read(Path(name.removeprefix("local-dir:")), precisions(precision, device))
    else:
        from framefind.models import hub

        wanted = precisions(precision, device)
        folder = hub.cached(name, wanted, revision) or hub.download(name, wanted, revision)
        pair, commit = towers.read(folder, wanted), folder.name
    if precision not in ("auto", pair.precision):
        raise ModelError(f"model {name} comes at one precision only: leave it to auto")
    return OnnxModel(name, pair, device, commit)


def precisions(precision: str, device: str) -> list[str]:
    """The precisions that will do, best first. Raises ModelError for an unknown one."""
    from framefind.models.onnx import providers
    from framefind.models.towers import PRECISIONS

    if precision in PRECISIONS:
        return [precision]
    if precision != "auto":
        raise ModelError(f"precision {precision!r}: use auto, {', '.join(PRECISIONS)}")
    on_gpu = len(providers(device)) > 1
    return ["fp16", "fp32", "int8"] if on_gpu else ["fp32", "fp16", "int8"]


def neutral(model: Model) -> Neutral:
    """What confidence is measured against: neutral pictures, or texts where a model has none.

    The texts are embedded once per fingerprint and kept in the user's cache folder.
    """
    if model.neutral is not None:
        return model.neutral
    from platformdirs import user_cache_path

    content = (_SHIPPED / "backgrounds.json").read_bytes()
    key = blake2b(content + repr(sorted(model.fingerprint.items())).encode(), digest_size=16)
    file = user_cache_path("framefind") / "neutral" / f"{key.hexdigest()}.npz"
    with suppress(OSError, ValueError):
        return Neutral.load(file, model.dimensions)
    texts = Neutral.of(model.embed_texts(json.loads(content)["texts"]), of_pictures=False)
    with suppress(OSError):  # a cache that cannot be written costs time only
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}.npz")
        texts.save(fresh)
        fresh.replace(file)
    return texts


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
