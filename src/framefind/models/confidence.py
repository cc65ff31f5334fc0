"""Confidence: how likely a result is right, 0 to 1, comparable between queries and models.

Raw scores differ by model and by query: "a dog" and "asdfgh" both get some score on every image.
Confidence compares the score with those that the same query gets on neutral images, of nothing in
particular. How many standard deviations lie between them, the z-score, decides; a curve that was
fitted on labelled images turns it into a probability. Neutral images never come from a library: a
model brings their statistics.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_arrays

_MIN_DEVIATION = 1e-6
"""A spread of zero would divide by zero."""


@dataclass(frozen=True)
class Neutral:
    """The distribution of a model's vectors of neutral images, or texts, and the curve above it.

    `mean` (dimensions,) is the mean of the vectors. `axes` (k, dimensions) are the principal axes
    of their spread, each as long as one standard deviation along it. The mean and the standard
    deviation of any vector's cosines with the neutral vectors follow from both.

    At a z-score of `middle`, half of the results are right; `slope` is the slope of the log odds
    there. Both are fitted per model on labelled images (docs/benchmarks.md); the defaults serve
    models that were not fitted. Two images resemble each other more than an image resembles its
    description, so queries with an image have a curve of their own, `image_middle` and
    `image_slope`.
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
        """Summarize the vectors (n, dimensions) of neutral images or texts, in half precision."""
        mean = vectors.mean(axis=0)
        _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
        spread = directions[:axes] * (lengths[:axes, np.newaxis] / np.sqrt(len(vectors)))
        return cls(of_images, _round_to_half(mean), _round_to_half(spread))

    @classmethod
    def load(cls, file: Path, dimensions: int) -> "Neutral":
        """Read a file that `save` wrote. Raises OSError, or ValueError for any other file."""
        try:
            stored = load_arrays(file)
            mean = np.asarray(stored["mean"], np.float32)
            axes = np.asarray(stored["axes"], np.float32)
            middle, slope = stored["curve"].tolist()
            image_middle, image_slope = stored["pictures_curve"].tolist()
            of_images = bool(stored["of_pictures"])
        except (EOFError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not neutral images: {error}") from None
        if mean.shape != (dimensions,) or axes.ndim != 2 or axes.shape[1] != dimensions:
            shapes = f"mean {mean.shape} and axes {axes.shape}"
            raise ValueError(f"{shapes}, expected ({dimensions},) and (k, {dimensions})")
        return cls(of_images, mean, axes, middle, slope, image_middle, image_slope)

    def save(self, file: Path) -> None:
        """Write an .npz of a few dozen kilobytes."""
        np.savez(
            file,
            of_pictures=self.of_images,
            mean=self.mean.astype(np.float16),
            axes=self.axes.astype(np.float16),
            curve=np.array([self.middle, self.slope]),
            pictures_curve=np.array([self.image_middle, self.image_slope]),
        )

    def for_images(self) -> "Neutral":
        """Return the same statistics with the curve of queries with an image."""
        return replace(self, middle=self.image_middle, slope=self.image_slope)

    def score_of(self, confidence: float, against: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores, cosine × 100, that have this confidence against each row (n, d)."""
        mean, deviation = self._cosines_with(against)
        inner = np.clip(2 * confidence - 1, -1 + 1e-12, 1 - 1e-12)  # where arctanh is finite
        z_score = self.middle + 2 / self.slope * np.arctanh(inner)
        return np.asarray(100 * (mean + z_score * deviation))

    def z_scores(
        self, cosines: NDArray[np.float64], against: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the z-score of each cosine (n,) in the distribution of `against` (n, d)."""
        mean, deviation = self._cosines_with(against)
        return np.asarray((cosines - mean) / deviation)

    def _cosines_with(
        self, against: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of each row's cosines with the neutral vectors."""
        rows = against[:, np.newaxis]  # one product per row, whose last bits depend on no other
        mean = (rows @ self.mean)[:, 0].astype(np.float64)
        deviation = np.linalg.norm((rows @ self.axes.T)[:, 0].astype(np.float64), axis=1)
        return mean, np.maximum(deviation, _MIN_DEVIATION)

    def confidence(self, z_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the confidence at each z-score: a logistic curve."""
        # In a form that cannot overflow.
        return np.asarray(0.5 + 0.5 * np.tanh(self.slope / 2 * (z_scores - self.middle)))


def confidence(
    scores: NDArray[np.float32],
    query: NDArray[np.float32],
    views: NDArray[np.float32],
    neutral: Neutral,
) -> NDArray[np.float64]:
    """Return the confidence, 0 to 1, that `query` (dimensions,) describes each of `views` (n, d).

    All are unit vectors; `scores` (n,) are cosine × 100. Against neutral images, confidence rises
    with the score, whatever the view. Against neutral texts, for models that bring no images, a
    view's score is compared with the scores of those texts on the same view. Confidence depends on
    the model, the query and the view alone.
    """
    against = query[np.newaxis] if neutral.of_images else views
    return neutral.confidence(neutral.z_scores(scores.astype(np.float64) / 100, against))


def _round_to_half(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
