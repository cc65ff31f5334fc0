"""Models of two ONNX graphs and a tokenizer, which run without PyTorch."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.arguments import several
from framefind.errors import ModelError
from framefind.models.backends import Graph, open_graph
from framefind.models.base import check_finite
from framefind.models.confidence import Neutral
from framefind.models.layouts.base import Encoders
from framefind.models.layouts.external_data import external_files
from framefind.models.tokenizer import encode_texts, open_tokenizer, split_word
from framefind.models.weights_hash import weights_hash

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class OnnxModel:
    """A model of two ONNX encoders; each is opened when it is first used."""

    def __init__(
        self,
        name: str,
        encoders: Encoders,
        device: str = "auto",
        revision: str = "",
        threads: int = 0,
    ) -> None:
        """Read no weights yet; `revision` is the commit that the encoders came from, if any.

        Raises ModelError if the neutral images that the encoders name cannot be read.
        """
        self.name = name
        self.dimensions = encoders.dimensions
        self.scale = encoders.scale
        self.size = encoders.image.size
        self.resize = encoders.image.resize
        self.neutral = _read_neutral(encoders.neutral, self.dimensions)
        self._encoders = encoders
        self._device = device
        self._revision = revision
        self._threads = threads

    @property
    def backend(self) -> str:
        """Describe what computes the vectors, on which device and at which precision."""
        images = self._image_graph.description
        texts = self._text_graph.description
        backends = images if images == texts else f"{images} (images), {texts} (texts)"
        precision = self._encoders.precision
        return f"{precision} encoders, {backends}" if precision else backends

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Return all that decides the vectors: name, weights hash, dimensions, preprocessing.

        Precision and revision are among it where a model comes at several: vectors of two
        precisions are never mixed.
        """
        encoders = self._encoders
        facts = {
            "model": self.name,
            "weights": self._hash_weights(),
            "dimensions": str(self.dimensions),
            "preprocessing": encoders.preprocessing,
            "precision": encoders.precision,
            "revision": self._revision,
            "source": encoders.source,
        }
        return {key: value for key, value in facts.items() if value}

    def _hash_weights(self) -> str:
        """Return the hash of graphs, their weights and the tokenizer. Raises ModelError."""
        encoders = self._encoders
        files = [encoders.image.file, encoders.text.file, encoders.text.tokenizer]
        try:
            for graph in files[:2]:  # weights that are too large for one file
                beside = {*graph.parent.glob(f"{graph.name}?*")}
                files += sorted(beside | {graph.with_name(name) for name in external_files(graph)})
            return weights_hash(files)
        except OSError as error:
            raise ModelError(
                f"{error.filename}: {error.strerror}; model {self.name} needs it"
            ) from None

    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions)."""
        graph = self._image_graph
        pixels = graph.inputs[0]
        mean = self._encoders.image.mean
        std = self._encoders.image.std

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            values = _normalize(images[rows], mean, std) if mean else images[rows]
            return {pixels.name: values.astype(pixels.dtype, copy=False)}

        return self._run(graph, feed, len(images))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions).

        Raises QueryError for what is no text.
        """
        texts = several(texts)
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        if self._encoders.text.pad is None:  # so that no text's last bits depend on the others
            return np.concatenate([self._embed_texts([text]) for text in texts])
        return self._embed_texts(texts)

    def _embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        graph = self._text_graph
        ids, mask = encode_texts(self._tokenizer, self._encoders.text, texts)
        arrays = {"input_ids": ids, "text": ids, "attention_mask": mask}
        unknown = [node.name for node in graph.inputs if node.name not in arrays]
        if unknown:
            raise ModelError(
                f"{self._encoders.text.file}: asks for {', '.join(unknown)}, which framefind does "
                f"not know; it gives {', '.join(arrays)}"
            )

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            return {node.name: arrays[node.name][rows].astype(node.dtype) for node in graph.inputs}

        return self._run(graph, feed, len(texts))

    def tokenize(self, word: str) -> list[str]:
        """Split one word, or a run of symbols, into the tokens that the text encoder reads."""
        return split_word(self._tokenizer, self._encoders.text, word)

    def _run(
        self,
        graph: Graph,
        feed: Callable[[slice], dict[str, NDArray[Any]]],
        count: int,
    ) -> NDArray[np.float32]:
        """Run a graph batch by batch on what `feed` returns for rows of `count` inputs."""
        fixed_batch = graph.inputs[0].fixed_batch
        batch_size = fixed_batch or graph.batch_size
        vectors = np.empty((count, self.dimensions), np.float32)
        for start in range(0, count, batch_size):
            inputs = feed(slice(start, start + batch_size))
            rows = len(next(iter(inputs.values())))
            if rows < fixed_batch:
                inputs = {name: _repeat_last(part, fixed_batch) for name, part in inputs.items()}
            outputs = graph.run(inputs)[:rows]
            if outputs.shape != (rows, self.dimensions):
                raise ModelError(
                    f"model {self.name}: an encoder gives vectors of shape {outputs.shape[1:]}, "
                    f"its settings promise {self.dimensions} dimensions"
                )
            vectors[start : start + rows] = outputs
        return _unit_rows(check_finite(self.name, vectors))

    @cached_property
    def _image_graph(self) -> Graph:
        """Return the image encoder, opened. Raises ModelError."""
        encoders = self._encoders
        may_round = encoders.precision == "fp32" and not encoders.resnet  # int8 would be slower
        return self._open(encoders.image.file, self._device, may_round)

    @cached_property
    def _text_graph(self) -> Graph:
        """Return the text encoder, opened: never by OpenVINO, since a query is only one text."""
        device = "cpu" if self._device == "openvino" else self._device
        return self._open(self._encoders.text.file, device)

    def _open(self, file: Path, device: str, may_round: bool = False) -> Graph:
        """Open an encoder. Raises ModelError when its files changed since they were first read."""
        weights = self.fingerprint["weights"]
        graph = open_graph(file, device, may_round, self._threads)
        if self._hash_weights() != weights:
            raise ModelError(f"model {self.name}: {file} or its weights have changed: start again")
        return graph

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(self._encoders.text)


def _read_neutral(file: Path | None, dimensions: int) -> Neutral | None:
    """Read the neutral images that a manifest names, if any. Raises ModelError."""
    if file is None:
        return None
    try:
        return Neutral.load(file, dimensions)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None


def _normalize(
    images: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Return float32 (n, 3, size, size), less the mean and over the deviation, per channel."""
    count, height, width, channels = images.shape
    values = np.empty((count, channels, height, width), np.float32)
    for channel in range(channels):  # in place: ten times as fast as in one expression
        part = values[:, channel]
        np.subtract(images[..., channel], np.float32(255 * mean[channel]), out=part)
        part /= np.float32(255 * std[channel])
    return values


def _repeat_last(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Fill rows up to `count` with copies of the last."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def _unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
