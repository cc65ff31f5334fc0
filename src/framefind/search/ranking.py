"""Ranking: which videos a page may show, told from bounds of their scores, and in what order."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.index.int8_scan import Scan
from framefind.index.timeline import Timeline
from framefind.search.moments import LIKELY_RATIO, margin

LOWEST = float(np.finfo(np.float64).min)
"""Below every score, but not below that of a video without a result."""

_WIDER = 4  # times as many videos are looked at when those so far do not fill a page

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Results(Protocol):
    """Results in their order; `scores`, best first, are float32 or float64 (n,)."""

    @property
    def scores(self) -> NDArray[np.floating]: ...  # noqa: D102


ResultsT = TypeVar("ResultsT", bound=Results)


def leading(
    low: Floats, high: Floats, count: int, find: Callable[[Mask], ResultsT], floor: float = LOWEST
) -> ResultsT:
    """Return results among which the first `count` are those of all videos.

    `find` gives the exact results of the videos that a mask chooses, best first. `low` and `high`
    (videos,) bound the best result of each video; `find` may find none in it. So a video whose
    `high` is below the `count`-th greatest `low` has no result among the first, unless others have
    none: then more videos are looked at. Those below `floor` are left out.
    """
    wanted = count
    while True:
        cut = float(np.partition(low, -wanted)[-wanted]) if wanted < len(low) else floor
        cut = max(cut, floor)
        chosen = high >= cut
        found = find(chosen)
        rest = float(high[~chosen & (high >= floor)].max(initial=-np.inf))
        filled = len(found.scores) >= count and found.scores[count - 1] > rest
        if filled or rest == -np.inf:
            return found
        wanted *= _WIDER


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
    video, score = timeline.video[hit], scores[hit].astype(np.float64)
    first = np.flatnonzero(np.diff(video, prepend=-1))
    result = _ranked(score, first, rank, scale)
    order = np.lexsort((video[first], -result))
    return video[first][order], result[order]


def _ranked(score: Floats, first: NDArray[np.int64], rank: str, scale: float) -> Floats:
    """The score of each video by the scores of its hits, which begin at `first`."""
    best = np.maximum.reduceat(score, first)
    if rank == "max":
        return np.asarray(best)
    if rank == "sum":
        return np.asarray(np.add.reduceat(score, first))
    counts = np.diff(first, append=len(score))
    weight = np.exp((score - np.repeat(best, counts)) * scale / 100)
    return np.asarray(np.add.reduceat(score * weight, first) / np.add.reduceat(weight, first))


def rank_bounds(
    scan: Scan, rank: str, scale: float, min_score: float | None
) -> tuple[Floats, Floats]:
    """Return bounds of the score that `rank_videos` gives each video of a scan: (videos,) twice.

    A video without a hit that reaches `min_score` has a `high` of -inf.
    """
    values, slack = scan.values.astype(np.float64), scan.slack.astype(np.float64)
    best = scan.best.astype(np.float64)
    least = -np.inf if min_score is None else min_score
    low, high = best - slack, best + slack
    missing = high < least
    if rank != "max" and len(values):
        first, counts = scan.line.of_videos
        every = np.repeat(slack, counts)
        possible = values + every >= np.repeat(np.maximum(low - margin(scale), least), counts)
        certain = values - every >= np.repeat(np.maximum(high - margin(scale), least), counts)
        if rank == "sum":
            up, down = values + every, values - every
            high = np.add.reduceat(np.where(certain, up, possible * np.maximum(up, 0)), first)
            low = np.add.reduceat(np.where(certain, down, possible * np.minimum(down, 0)), first)
        else:
            # Hits that are not certain score less than the certain ones, but for their errors. The
            # softmax's derivatives add up to at most 1 + |score - mean| / temperature.
            error = slack * (1 + np.log(LIKELY_RATIO) + 4 * slack * scale / 100)
            weight = np.exp((values - np.repeat(best, counts)) * scale / 100)
            mean = _means(values, weight * possible, first)
            low = np.where(np.isfinite(mean), mean - error, -np.inf)
            mean = _means(values, weight * certain, first) + error + 2 * slack
            high = np.where(np.isfinite(mean), np.minimum(high, mean), high)
    return np.where(missing, -np.inf, low), np.where(missing, -np.inf, high)


def _means(values: Floats, weight: Floats, first: NDArray[np.int64]) -> Floats:
    with np.errstate(invalid="ignore"):  # a video without weight has none
        return np.asarray(np.add.reduceat(values * weight, first) / np.add.reduceat(weight, first))
