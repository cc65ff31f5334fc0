"""ONNX models: two towers, each a graph that an engine runs, and a tokenizer; no torch."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.arguments import several
from framefind.errors import ModelError
from framefind.models.backends import Graph, open_graph
from framefind.models.confidence import Neutral
from framefind.models.layouts import Towers
from framefind.models.tokenizer import open_tokenizer, tokens, word_tokens
from framefind.models.weights_hash import weights_hash

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer


class OnnxModel:
    """A model of two ONNX towers; each is opened when it is first used."""

    def __init__(self, name: str, towers: Towers, device: str = "auto", revision: str = "") -> None:
        """`revision` is the commit that the towers came from, if any.

        Raises ModelError if the neutral pictures that the towers name cannot be read.
        """
        self.name = name
        self.dimensions, self.scale = towers.dimensions, towers.scale
        self.size, self.resize = towers.pictures.size, towers.pictures.resize
        self.neutral = _read_neutral(towers.neutral, self.dimensions)
        self._towers = towers
        self._device = device
        self._revision = revision

    @property
    def backend(self) -> str:
        """Describe what computes the vectors, on which device and at which precision."""
        texts = self.text_graph.said
        pictures = self.image_graph.said
        said = pictures if pictures == texts else f"{pictures} (pictures), {texts} (texts)"
        return f"{self._towers.precision} towers, {said}" if self._towers.precision else said

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
        graph, how = self.image_graph, self._towers.pictures
        given = graph.inputs[0]

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            values = _normalised(pictures[rows], how.mean, how.std) if how.mean else pictures[rows]
            return {given.name: values.astype(given.dtype, copy=False)}

        return self._run(graph, feed, len(pictures))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions). Raises QueryError for no text."""
        texts = several(texts)
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        graph = self.text_graph
        ids, mask = tokens(self._tokenizer, self._towers.texts, texts)
        known = {"input_ids": ids, "text": ids, "attention_mask": mask}
        if unknown := [given.name for given in graph.inputs if given.name not in known]:
            raise ModelError(
                f"{self._towers.texts.file}: asks for {', '.join(unknown)}, which framefind does "
                f"not know; it gives {', '.join(known)}"
            )

        def feed(rows: slice) -> dict[str, NDArray[Any]]:
            return {
                given.name: known[given.name][rows].astype(given.dtype) for given in graph.inputs
            }

        return self._run(graph, feed, len(texts))

    def tokenize(self, word: str) -> list[str]:
        """Split one word, or a run of symbols, into the tokens that the text encoder reads."""
        return word_tokens(self._tokenizer, self._towers.texts, word)

    def _run(
        self,
        graph: Graph,
        feed: Callable[[slice], dict[str, NDArray[Any]]],
        count: int,
    ) -> NDArray[np.float32]:
        """Run a graph batch by batch: some are exported for batches of one size only."""
        fixed = graph.inputs[0].batch
        vectors = np.empty((count, self.dimensions), np.float32)
        most = fixed or graph.rows
        for start in range(0, count, most):
            batch = feed(slice(start, start + most))
            rows = len(next(iter(batch.values())))
            if rows < fixed:
                batch = {
                    key: np.concatenate([part, np.repeat(part[-1:], fixed - rows, axis=0)])
                    for key, part in batch.items()
                }
            given = graph.run(batch)[:rows]
            if given.shape != (rows, self.dimensions):
                raise ModelError(
                    f"model {self.name}: a tower gives vectors of shape {given.shape[1:]}, its "
                    f"settings promise {self.dimensions} dimensions"
                )
            vectors[start : start + rows] = given
        return _unit(vectors)

    @cached_property
    def image_graph(self) -> Graph:
        """The image tower, opened. Raises ModelError."""
        towers = self._towers
        may_round = towers.precision == "fp32" and not towers.resnet  # int8 would be slower
        return open_graph(towers.pictures.file, self._device, may_round)

    @cached_property
    def text_graph(self) -> Graph:
        """The text tower, opened: as it is, since a query is only one text. Raises ModelError."""
        device = "cpu" if self._device == "openvino" else self._device
        return open_graph(self._towers.texts.file, device)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(self._towers.texts)


def _read_neutral(file: "Path | None", dimensions: int) -> Neutral | None:
    """The neutral pictures that the manifest names, if any."""
    try:
        return None if file is None else Neutral.load(file, dimensions)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None


def _normalised(
    pictures: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Float32 (n, 3, size, size), less the mean and over the deviation, channel by channel."""
    count, height, width, channels = pictures.shape
    values = np.empty((count, channels, height, width), np.float32)
    for channel in range(channels):  # in place: ten times as fast as in one expression
        part = values[:, channel]
        np.subtract(pictures[..., channel], np.float32(255 * mean[channel]), out=part)
        part /= np.float32(255 * std[channel])
    return values


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
