"""ONNX models: a folder with two towers, a tokenizer and a manifest; no torch.

The folder holds `manifest.json`, an image tower (input uint8 (n, size, size, 3) RGB, normalised
inside the graph), a text tower (inputs `input_ids` and `attention_mask`, int64 (n, length)) and a
`tokenizer.json`; both towers give float32 (n, dimensions).
"""

import json
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

_BATCH = 64  # pictures per run: larger ones gain nothing on a CPU and cost memory


class OnnxModel:
    """A model whose towers ONNX Runtime runs; each is opened when it is first used."""

    def __init__(self, name: str, folder: Path, device: str = "auto") -> None:
        """Read the manifest in `folder`. Raises ModelError if it is missing or malformed."""
        self.name = name
        self._folder = folder
        self._device = device
        manifest = _read_manifest(folder)
        try:
            self.dimensions = int(manifest["dimensions"])
            self.size = int(manifest["image"]["size"])
            self.scale = float(manifest.get("scale", 100.0))
            self._resize = str(manifest["image"]["resize"])
            self._image_file = folder / manifest["image"]["file"]
            self._text_file = folder / manifest["text"]["file"]
            self._tokenizer_file = folder / manifest["text"]["tokenizer"]
            self._max_tokens = int(manifest["text"]["max_tokens"])
            self._special_tokens = bool(manifest["text"]["special_tokens"])
            self.neutral = _read_neutral(folder, manifest.get("neutral"), self.dimensions)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{folder / 'manifest.json'}: missing or wrong entry: {error}"
            ) from None

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Name, weights hash, dimensions and preprocessing, as the library stores them."""
        files = (self._image_file, self._text_file, self._tokenizer_file)
        return {
            "model": self.name,
            "weights": _weights_hash(files),
            "dimensions": str(self.dimensions),
            "preprocessing": f"{self.size} px, {self._resize}",
        }

    def embed_images(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions)."""
        tower = self._image_tower
        inputs = tower.get_inputs()[0].name
        batches = [
            tower.run(None, {inputs: pictures[start : start + _BATCH]})[0]
            for start in range(0, len(pictures), _BATCH)
        ]
        return _unit(np.concatenate(batches)) if batches else np.empty((0, self.dimensions), "f4")

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions)."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=self._special_tokens)
        unknown = self._tokenizer.token_to_id("[UNK]") or 0  # a text of no token at all
        rows = [encoding.ids or [unknown] for encoding in encodings]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return _unit(self._text_tower.run(None, {"input_ids": ids, "attention_mask": mask})[0])

    @cached_property
    def _image_tower(self) -> "onnxruntime.InferenceSession":
        return _session(self._image_file, self._device)

    @cached_property
    def _text_tower(self) -> "onnxruntime.InferenceSession":
        return _session(self._text_file, self._device)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._max_tokens)
        return tokenizer


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.json"
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{folder}: no readable manifest.json ({error.strerror})") from None
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise ModelError(f"{file}: expected an object")
    return manifest


def _read_neutral(folder: Path, name: str | None, dimensions: int) -> NDArray[np.float32] | None:
    """The neutral pictures that the manifest names: mean and axes, (1 + axes, dimensions)."""
    if name is None:
        return None
    try:
        rows = np.load(folder / name, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / name}: cannot be read: {error}") from None
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] != dimensions:
        raise ModelError(f"{folder / name}: shape {rows.shape}, expected (1 + axes, {dimensions})")
    return np.asarray(rows, np.float32)


def _session(file: Path, device: str) -> "onnxruntime.InferenceSession":
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in providers:
        raise ModelError("device cuda: this ONNX Runtime has no CUDA; install onnxruntime-gpu")
    if device not in ("auto", "cpu", "cuda"):
        raise ModelError(f"device {device!r}: use auto, cpu or cuda")
    wanted = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in providers:
        wanted.insert(0, "CUDAExecutionProvider")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Decoders share the cores: a spinning thread would take theirs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=wanted)
    except Exception as error:  # its exceptions share no base class of their own
        raise ModelError(f"{file}: ONNX Runtime cannot load it: {error}") from None


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def _weights_hash(files: tuple[Path, ...]) -> str:
    """BLAKE2b-128 over the files; remembered by path, size and modified time."""
    from platformdirs import user_cache_path

    try:
        facts = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError as error:
        raise ModelError(f"{error.filename}: {error.strerror}; the manifest names it") from None
    key = blake2b(repr(facts).encode(), digest_size=16).hexdigest()
    remembered = user_cache_path("framefind") / "weights" / key
    try:
        return remembered.read_text("ascii")
    except OSError:
        pass
    digest = blake2b(digest_size=16)
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    try:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.write_text(digest.hexdigest(), "ascii")
    except OSError:
        pass  # a cache that cannot be written costs time only
    return digest.hexdigest()
