"""The interface of a model, which everything above sees of it, and what holds for every one."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.errors import NotFiniteError
from framefind.models.confidence import Neutral


class Model(Hashable, Protocol):
    """A pair of encoders, image and text, into one space.

    Every vector is a float32 row of `dimensions` numbers and of unit length. Several threads may
    call one model.
    """

    name: str
    dimensions: int
    size: int
    """Side in pixels of the square images that the image encoder takes."""
    resize: str
    """How images were resized in training: the filter, then `centre` or `squash`."""
    scale: float
    """Logits per unit of cosine, as learned in training (1 / temperature)."""
    neutral: Neutral | None
    """Statistics of neutral images, if the model brings them."""

    @property
    def backend(self) -> str:
        """Describe what computes the vectors, on which device and at which precision."""
        ...

    @property
    def fingerprint(self) -> dict[str, str]:
        """Return all that decides the vectors: name, weights hash, dimensions, preprocessing."""
        ...

    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 (n, dimensions)."""
        ...

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 (n, dimensions). Raises QueryError for what is no text."""
        ...

    def tokenize(self, word: str) -> list[str]:
        """Split one word, or a run of symbols, into the tokens that the text encoder reads."""
        ...


@dataclass(frozen=True)
class Agreement:
    """The lowest cosine, less the mean, of an export's vectors with PyTorch's at fp32."""

    images: float
    texts: float


def check_finite(name: str, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors of a model. Raises NotFiniteError when a number is not finite.

    One such vector would make every answer that it takes part in wrong.
    """
    if not np.isfinite(vectors).all():
        raise NotFiniteError(
            f"model {name} gives vectors that are not finite: take another precision or device, "
            "or export it again"
        )
    return vectors
