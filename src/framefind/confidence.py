"""Confidence: how far a score stands out from those of neutral pictures, or texts; 0 to 1.

Raw scores differ by model and by query: "a dog" and "asdfgh" both score something on everything.
What is comparable is by how many standard deviations a score exceeds what the same query gets from
pictures of nothing in particular. Those never come from a library: a model brings them as numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Fitted on labelled pictures that `mini-1` never saw: the first ten of some 500 queries, among them
# nonsense and things that were not there (docs/benchmarks.md). So many standard deviations above
# neutral, half of the pictures shown were right.
_MIDDLE = 3.55
_SLOPE = 2.25


@dataclass(frozen=True)
class Neutral:
    """What neutral pictures, or texts, look like to a model: their vectors' mean and spread.

    `axes` (k, dimensions) are the principal axes of the spread, each as long as one standard
    deviation along it, so that the mean and the deviation of any vector's cosines with them follow.
    """

    of_pictures: bool
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def standing(
        self, cosines: NDArray[np.float64], against: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """By how many standard deviations `cosines` exceed those of `against` with the neutral."""
        each = against[:, np.newaxis]  # a product per row: its last bits depend on no other
        usual = (each @ self.mean)[:, 0].astype(np.float64)
        spread = np.linalg.norm((each @ self.axes.T)[:, 0].astype(np.float64), axis=1)
        return np.asarray((cosines - usual) / np.maximum(spread, 1e-6))


def summary(vectors: NDArray[np.float32], axes: int = 64) -> NDArray[np.float32]:
    """Vectors (n, dimensions) as float32 (1 + axes, dimensions): their mean, then its axes."""
    mean = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    spread = directions[:axes] * (lengths[:axes, np.newaxis] / np.sqrt(len(vectors)))
    return np.concatenate([mean[np.newaxis], spread]).astype(np.float32)


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
    against = query[np.newaxis] if neutral.of_pictures else views
    standing = neutral.standing(scores.astype(np.float64) / 100, against)
    # The logistic function, in a form that cannot overflow.
    return np.asarray(0.5 + 0.5 * np.tanh(_SLOPE / 2 * (standing - _MIDDLE)))
