"""Ranking: which videos a page may show, by bounds of their scores, and in what order."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.index.groups import count_members, list_starts
from framefind.index.timeline import Timeline

LOWEST = float(np.finfo(np.float64).min)
"""Below every score, but not below that of a video without a result."""

_GROWTH = 2  # times as many videos are searched when those so far do not fill a page

Floats = NDArray[np.float64]
Ordinals = NDArray[np.int64]


class Results(Protocol):
    """Results in their order; `scores`, best first, are float32 or float64 (n,)."""

    @property
    def scores(self) -> NDArray[np.floating]: ...  # noqa: D102


ResultsT = TypeVar("ResultsT", bound=Results)


def find_leading(
    low: Floats,
    high: Floats,
    count: int,
    find: Callable[[Ordinals], ResultsT],
    floor: float = LOWEST,
) -> ResultsT:
    """Return results among which the first `count` are those of all videos.

    `find` returns the exact results of some videos, ascending ordinals, best first. `low` and
    `high` (videos,) bound the best result of each video; `find` may find none in it. So a video
    whose `high` is below the `count`-th greatest `low`, or below the `count`-th result of some
    videos, has no result among the first, unless others have none: then more videos are searched.
    Those below `floor` are left out.
    """
    searched = count
    cut = floor
    if searched < len(low):
        cut = max(floor, float(np.partition(low, -searched)[-searched]))
    while True:
        chosen = high >= cut
        results = find(np.flatnonzero(chosen))
        best_left = float(high[~chosen & (high >= floor)].max(initial=-np.inf))
        is_full = len(results.scores) >= count
        if best_left == -np.inf or (is_full and results.scores[count - 1] > best_left):
            return results
        searched *= _GROWTH
        cut = float(np.partition(low, -searched)[-searched]) if searched < len(low) else floor
        cut = max(cut, float(results.scores[count - 1]) if is_full else floor)


def narrow_bounds(
    high: Floats,
    count: int,
    find: Callable[[Ordinals], Results],
    bounds: Sequence[Callable[[Ordinals], Floats]],
    floor: float,
    sample: int | None = None,
) -> tuple[Floats, float]:
    """Return closer bounds of the best result of each video, and a higher floor.

    The floor is the `count`-th result of a `sample` of the videos with the greatest `high`, by
    default `count` of them. Each of the `bounds` takes longer than the one before, so it is
    computed only for videos that may still reach the floor.
    """
    sample = count if sample is None else sample
    if len(high) > sample:
        results = find(np.sort(np.argpartition(high, -sample)[-sample:]))
        if len(results.scores) >= count:
            floor = max(floor, float(results.scores[count - 1]))
    high = high.copy()
    for bound in bounds:
        chosen = np.flatnonzero(high >= floor)
        if len(chosen) > sample:
            high[chosen] = np.minimum(high[chosen], bound(chosen))
    return high, floor


def rank_videos(
    timeline: Timeline, scores: NDArray[np.float32], hit: NDArray[np.int64], rank: str, scale: float
) -> tuple[NDArray[np.int64], Floats]:
    """Return the videos with a hit, best first, and their scores.

    `sum` adds up the hits' scores, `max` takes the best, and `softmax` is their mean weighted by
    exp(score / temperature), so that a long video does not win by its length (a query-weighted
    mean as in arXiv 2205.08508).
    """
    if not len(hit):
        return np.empty(0, np.int64), np.empty(0, np.float64)
    video = timeline.video[hit]
    score = scores[hit].astype(np.float64)
    first = list_starts(video)
    result = _rank(score, first, rank, scale)
    order = np.lexsort((video[first], -result))
    return video[first][order], result[order]


def _rank(score: Floats, first: NDArray[np.int64], rank: str, scale: float) -> Floats:
    """Return the score of each video by the scores of its hits, which begin at `first`."""
    best = np.maximum.reduceat(score, first)
    if rank == "max":
        return np.asarray(best)
    if rank == "sum":
        return np.asarray(np.add.reduceat(score, first))
    counts = count_members(first, len(score))
    weight = np.exp((score - np.repeat(best, counts)) * scale / 100)
    return np.asarray(np.add.reduceat(score * weight, first) / np.add.reduceat(weight, first))
