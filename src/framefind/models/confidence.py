"""Confidence: how far a score stands out from those of neutral pictures, or texts; 0 to 1.

Raw scores differ by model and by query: "a dog" and "asdfgh" both score something on everything.
What is comparable is by how many standard deviations a score exceeds what the same query gets from
pictures of nothing in particular, and how often such results were right on labelled pictures.
Those never come from a library: a model brings them as numbers.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_arrays

MAYBE = 0.3
"""The confidence from which on a result counts as one that may be right."""


@dataclass(frozen=True)
class Neutral:
    """What neutral pictures, or texts, look like to a model, and what to make of standing out.

    `mean` (dimensions,) is that of their vectors, `axes` (k, dimensions) are the principal axes of
    their spread, each as long as one standard deviation along it; so the mean and the deviation of
    any vector's cosines with them follow. `middle` standard deviations above neutral, half of the
    results are right; `slope` is that of the log odds there. Both are fitted per model on labelled
    pictures (docs/benchmarks.md); a model that was not has those of `mini-1`. Pictures resemble
    each other more than what words say of them, so queries with a picture have a curve of their
    own, `image_middle` and `image_slope`.
    """

    of_images: bool
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    middle: float = 3.55
    slope: float = 2.25
    image_middle: float = 4.6
    image_slope: float = 1.41

    @classmethod
    def summarize(
        cls, vectors: NDArray[np.float32], *, of_images: bool, axes: int = 64
    ) -> "Neutral":
        """Sum up the vectors (n, dimensions) of neutral pictures or texts, in half precision."""
        mean = vectors.mean(axis=0)
        _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
        spread = directions[:axes] * (lengths[:axes, np.newaxis] / np.sqrt(len(vectors)))
        return cls(of_images, _rounded(mean), _rounded(spread))

    @classmethod
    def load(cls, file: Path, dimensions: int) -> "Neutral":
        """Read what `save` wrote. Raises OSError, or ValueError when it is something else."""
        try:
            stored = load_arrays(file)
            mean, axes = (np.asarray(stored[name], np.float32) for name in ("mean", "axes"))
            middle, slope = stored["curve"].tolist()
            known = "pictures_curve" in stored  # files of earlier releases have none
            curve = stored["pictures_curve"].tolist() if known else []
            of_images = bool(stored["of_pictures"])
        except (EOFError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not neutral pictures: {error}") from None
        if mean.shape != (dimensions,) or axes.ndim != 2 or axes.shape[1] != dimensions:
            shapes = f"mean {mean.shape} and axes {axes.shape}"
            raise ValueError(f"{shapes}, expected ({dimensions},) and (k, {dimensions})")
        return cls(of_images, mean, axes, middle, slope, *curve)

    def save(self, file: Path) -> None:
        """Write it as an .npz of a few dozen kilobytes."""
        np.savez(
            file,
            of_pictures=self.of_images,
            mean=self.mean.astype(np.float16),
            axes=self.axes.astype(np.float16),
            curve=np.array([self.middle, self.slope]),
            pictures_curve=np.array([self.image_middle, self.image_slope]),
        )

    def for_images(self) -> "Neutral":
        """The same with the curve of queries with a picture."""
        return replace(self, middle=self.image_middle, slope=self.image_slope)

    def score_of(self, confidence: float, against: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores, cosine × 100, that have this confidence `against` each row (n, d)."""
        usual, spread = self._usual(against)
        odds = np.clip(2 * confidence - 1, -1 + 1e-12, 1 - 1e-12)
        standing = self.middle + 2 / self.slope * np.arctanh(odds)
        return np.asarray(100 * (usual + standing * spread))

    def z_scores(
        self, cosines: NDArray[np.float64], against: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """By how many standard deviations `cosines` exceed those of `against` with the neutral."""
        usual, spread = self._usual(against)
        return np.asarray((cosines - usual) / spread)

    def _usual(
        self, against: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean and the standard deviation of each row's cosines with the neutral."""
        each = against[:, np.newaxis]  # a product per row: its last bits depend on no other
        usual = (each @ self.mean)[:, 0].astype(np.float64)
        spread = np.linalg.norm((each @ self.axes.T)[:, 0].astype(np.float64), axis=1)
        return usual, np.maximum(spread, 1e-6)

    def confidence(self, z_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The confidence of that standing."""
        # The logistic function, in a form that cannot overflow.
        return np.asarray(0.5 + 0.5 * np.tanh(self.slope / 2 * (z_scores - self.middle)))


def confidence(
    scores: NDArray[np.float32],
    query: NDArray[np.float32],
    views: NDArray[np.float32],
    neutral: Neutral,
) -> NDArray[np.float64]:
    """How sure it is that `query`, a unit vector, describes each of `views`: 0 to 1.

    `scores` (n,) are cosine × 100 of the query with the views' vectors (n, dimensions). Against
    neutral pictures it rises with the score, whatever the view; against neutral texts, for models
    that bring no pictures, a view's score is compared with what those texts score on it. It depends
    on the model, the query and the view alone.
    """
    against = query[np.newaxis] if neutral.of_images else views
    return neutral.confidence(neutral.z_scores(scores.astype(np.float64) / 100, against))


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
