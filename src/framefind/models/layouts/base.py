"""The interface of a layout, and what is read through one.

A layout is told by the names of a repository's files alone, since nothing is downloaded before it
is chosen. Reading one opens JSON and the headers of safetensors, never weights.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from framefind.errors import ModelError
from framefind.models.layouts.settings import RESIZE_FILTERS
from framefind.models.weights_hash import weights_hash

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "fp16", "int8")
"""Precisions of ONNX encoders."""


@dataclass(frozen=True)
class ImageEncoder:
    """An image encoder and its preprocessing.

    With `mean` and `std`, one number per channel, it takes float (n, 3, size, size): values from 0
    to 1, less the mean, over the deviation. Without, it takes uint8 (n, size, size, 3).
    """

    file: Path
    size: int
    resize: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.resize.partition(",")[0] not in RESIZE_FILTERS.values():
            raise ValueError(f"resize {self.resize!r}: use {', '.join(RESIZE_FILTERS.values())}")


@dataclass(frozen=True)
class TextEncoder:
    """A text encoder and its tokenizer.

    `pad` is the token that fills every text up to `max_tokens`; without one, texts are as long as
    the longest of their batch. `clean` is done to a text before: `lower`, `canonical` (lower case,
    no punctuation) or nothing. An encoder that is not `masked` attends to padding too.
    """

    file: Path
    tokenizer: Path
    max_tokens: int
    special_tokens: bool = True
    pad: str | None = None
    pad_left: bool = False
    clean: str = ""
    masked: bool = True


@dataclass(frozen=True)
class Encoders:
    """Both encoders into one space of `dimensions`, and all that is needed to run them."""

    image: ImageEncoder
    text: TextEncoder
    dimensions: int
    scale: float = 100.0
    precision: str = ""
    """Empty where the encoders come at one precision only."""
    neutral: Path | None = None
    resnet: bool = False
    """True for a ResNet, whose residual sums lose too much in bf16."""
    source: str = ""
    """The checkpoint that the encoders were exported from, where that is recorded."""

    @property
    def preprocessing(self) -> str:
        """Describe all that decides the inputs of the encoders."""
        image = self.image
        text = self.text
        words = f"{image.size} px, {image.resize}"
        if not image.mean:
            return words
        mean = " ".join(map(str, image.mean))
        std = " ".join(map(str, image.std))
        clean = f", {text.clean}" if text.clean else ""
        return f"{words}, mean {mean}, std {std}; {text.max_tokens} tokens{clean}"


@dataclass(frozen=True)
class Files:
    """The files of a repository that hold both encoders at one precision, by their names in it."""

    image: str
    text: str
    precision: str
    names: tuple[str, ...]
    """All that is needed: weights, what lies outside of their graphs, and settings."""

    @classmethod
    def of_graphs(
        cls, names: Collection[str], image: str, text: str, precision: str, settings: Sequence[str]
    ) -> "Files":
        """Select two ONNX graphs, weights that lie beside them, and settings among the names."""
        chosen = [name for name in names if name.startswith((image, text)) or name in settings]
        return cls(image, text, precision, tuple(chosen))


class OnnxLayout(Protocol):
    """A layout of ONNX encoders."""

    example: str
    """The name of a file that shows the layout, for messages."""

    def find(self, names: Collection[str]) -> dict[str, Files]:
        """Return the layout's files among the names by precision; none in another layout."""
        ...

    def read(self, folder: Path, files: Files) -> Encoders:
        """Read the settings. Raises ModelError when they are missing or malformed."""
        ...


class CheckpointLayout(Protocol):
    """A layout of weights for PyTorch."""

    example: str
    """The name of a file that shows the layout, for messages."""

    def find(self, names: Collection[str]) -> Files | None:
        """Return the layout's files among the names; None in another layout."""
        ...

    def read(self, folder: Path, files: Files) -> "Checkpoint":
        """Read the settings. Raises ModelError when they, or shards, are missing or malformed."""
        ...

    def load_encoder(
        self, checkpoint: "Checkpoint", side: str, dtype: "torch.dtype"
    ) -> "tuple[torch.nn.Module, Callable[..., torch.Tensor]]":
        """Load the encoder of one side, `image` or `text`, and how to call it.

        The call takes the module, then normalized pixels, or token ids and mask; it returns
        (n, dimensions). Raises ModelError, and whatever the package that loads it raises.
        """
        ...


@dataclass(frozen=True)
class Checkpoint:
    """Weights for PyTorch, in `folder`, and what their settings say."""

    layout: CheckpointLayout
    folder: Path
    encoders: Encoders
    weights: tuple[Path, ...]

    def hash(self) -> str:
        """Return BLAKE2b-128 over weights and tokenizer, in hex. Raises ModelError."""
        try:
            return weights_hash([*self.weights, self.encoders.text.tokenizer])
        except OSError as error:
            raise ModelError(f"{error.filename}: {error.strerror}") from None

    def source(self) -> str:
        """Return the hash that all exports of this checkpoint share: of weights and settings."""
        content = f"{self.hash()}\n{self.encoders.preprocessing}"
        return blake2b(content.encode(), digest_size=16).hexdigest()
