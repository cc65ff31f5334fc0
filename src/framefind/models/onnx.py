"""ONNX models: two towers that ONNX Runtime runs, and a tokenizer; no torch."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.confidence import Neutral
from framefind.errors import ModelError
from framefind.models.hashes import weights_hash
from framefind.models.tokens import open_tokenizer, tokens
from framefind.models.towers import Towers

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime
    from tokenizers import Tokenizer

_BATCH = 64  # inputs per run: more gain nothing on a CPU and cost memory
_OUTPUTS = ("image_embeds", "text_embeds", "embedding", "pooler_output")
_TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float16)": np.float16}


class OnnxModel:
    """A model whose towers ONNX Runtime runs; each is opened when it is first used."""

    def __init__(self, name: str, towers: Towers, device: str = "auto", revision: str = "") -> None:
        """`revision` is the commit that the towers came from, if any.

        Raises ModelError if the neutral pictures that the towers name cannot be read.
        """
        self.name = name
        self.dimensions, self.scale = towers.dimensions, towers.scale
        self.size = towers.pictures.size
        self.neutral = _read_neutral(towers.neutral, self.dimensions)
        self._towers = towers
        self._device = device
        self._revision = revision

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Name, weights hash, dimensions and preprocessing, as the library stores them.

        Of a model that comes at several precisions or revisions, these too: vectors of two
        precisions are never mixed.
        """
        towers = self._towers
        files = (towers.pictures.file, towers.texts.file, towers.texts.tokenizer)
        outside = [
            beside
            for file in files[:2]
            for beside in sorted(file.parent.glob(f"{file.name}?*"))  # weights too large for one
        ]
        try:
            weights = weights_hash([*files, *outside])
        except OSError as error:
            raise ModelError(
                f"{error.filename}: {error.strerror}; model {self.name} needs it"
            ) from None
        facts = {
            "model": self.name,
            "weights": weights,
            "dimensions": str(self.dimensions),
            "preprocessing": towers.preprocessing,
            "precision": towers.precision,
            "revision": self._revision,
            "source": towers.source,
        }
        return {key: value for key, value in facts.items() if value}

    def embed_images(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions)."""
        tower = self._image_tower
        given = tower.get_inputs()[0]
        mean, std = (
            np.array(part, np.float32).reshape(-1, 1, 1) * np.float32(255)
            for part in (self._towers.pictures.mean, self._towers.pictures.std)
        )

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            batch = pictures[rows]
            if not mean.size:
                return {given.name: batch}
            values = (batch.transpose(0, 3, 1, 2) - mean) / std
            return {given.name: values.astype(_TYPES.get(given.type, np.float32), copy=False)}

        return self._run(tower, feed, len(pictures))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions)."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        tower = self._text_tower
        ids, mask = tokens(self._tokenizer, self._towers.texts, texts)
        known = {"input_ids": ids, "text": ids, "attention_mask": mask}
        inputs = tower.get_inputs()
        if unknown := [given.name for given in inputs if given.name not in known]:
            raise ModelError(
                f"{self._towers.texts.file}: asks for {', '.join(unknown)}, which framefind does "
                f"not know; it gives {', '.join(known)}"
            )

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            return {
                given.name: known[given.name][rows].astype(_TYPES[given.type]) for given in inputs
            }

        return self._run(tower, feed, len(texts))

    def _run(
        self,
        tower: "onnxruntime.InferenceSession",
        feed: Callable[[slice], dict[str, NDArray[Any]]],
        count: int,
    ) -> NDArray[np.float32]:
        """Run a tower batch by batch: some are exported for batches of one size only."""
        names = [output.name for output in tower.get_outputs()]
        name = next((name for name in _OUTPUTS if name in names), names[0])
        first = tower.get_inputs()[0].shape[0]
        fixed = first if isinstance(first, int) else 0
        vectors = np.empty((count, self.dimensions), np.float32)
        for start in range(0, count, fixed or _BATCH):
            batch = feed(slice(start, start + (fixed or _BATCH)))
            rows = len(next(iter(batch.values())))
            if rows < fixed:
                batch = {
                    key: np.concatenate([part, np.repeat(part[-1:], fixed - rows, axis=0)])
                    for key, part in batch.items()
                }
            given = tower.run([name], batch)[0][:rows]
            if given.shape != (rows, self.dimensions):
                raise ModelError(
                    f"model {self.name}: a tower gives vectors of shape {given.shape[1:]}, its "
                    f"settings promise {self.dimensions} dimensions"
                )
            vectors[start : start + rows] = given
        return _unit(vectors)

    @cached_property
    def _image_tower(self) -> "onnxruntime.InferenceSession":
        return _session(self._towers.pictures.file, self._device)

    @cached_property
    def _text_tower(self) -> "onnxruntime.InferenceSession":
        return _session(self._towers.texts.file, self._device)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(self._towers.texts)


def _read_neutral(file: "Path | None", dimensions: int) -> Neutral | None:
    """The neutral pictures that the manifest names, if any."""
    try:
        return None if file is None else Neutral.load(file, dimensions)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None


def providers(device: str) -> list[str]:
    """The execution providers of ONNX Runtime for `auto`, `cpu` or `cuda`, best first.

    Raises ModelError when there is no such device here.
    """
    import onnxruntime

    if device not in ("auto", "cpu", "cuda"):
        raise ModelError(f"device {device!r}: use auto, cpu or cuda")
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise ModelError("device cuda: this ONNX Runtime has no CUDA; install onnxruntime-gpu")
    cuda = ["CUDAExecutionProvider"] if has_cuda and device != "cpu" else []
    return [*cuda, "CPUExecutionProvider"]


def _session(file: "Path", device: str) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Decoders share the cores: a spinning thread would take theirs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers(device))
    except ModelError:
        raise
    except Exception as error:  # its exceptions share no base class of their own
        raise ModelError(f"{file}: ONNX Runtime cannot load it: {error}") from None


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
