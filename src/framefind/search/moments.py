"""Moments: hits that are neighbours in time, merged; and videos, ranked by their moments.

Everything here is decided inside one video, so that an unrelated video never changes another's
moments, scores or confidence.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from framefind.index.timeline import Timeline, ranges

LIKELY_RATIO = 8.0
"""A hit is at most this many times less likely, to the model, than its video's best frame."""

_LONGEST = 30.0  # seconds; hits join up to here
_JOIN = 2.0  # hits join within this many sampling intervals, and within as many seconds


@dataclass(frozen=True)
class Spans:
    """Moments as arrays of equal length, ordered by video and start."""

    video: NDArray[np.int64]  # ordinal of the video
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    best: NDArray[np.int64]  # position of the best hit in the timeline
    score: NDArray[np.float32]
    first: NDArray[np.int64]  # which of the hits is the first
    count: NDArray[np.int64]  # of the hits

    def __len__(self) -> int:
        return len(self.video)

    def take(self, wanted: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Spans":
        """Those moments only, in the order of `wanted`."""
        return Spans(*(getattr(self, field.name)[wanted] for field in fields(self)))

    def hits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the hits lie in these moments, and for each, in which of these."""
        return ranges(self.first, self.count), np.repeat(np.arange(len(self)), self.count)


def cuts(
    best: NDArray[np.float32], scale: float, min_score: float = -np.inf
) -> NDArray[np.float64]:
    """Return the score from which on a frame is a hit, for each video by its best frame's.

    A hit reaches `min_score`, and the model, whose logits are `scale` × cosine, finds it at most
    `LIKELY_RATIO` times less likely than its video's best frame.
    """
    return np.maximum(best.astype(np.float64) - margin(scale), min_score)


def margin(scale: float) -> float:
    """Return how far below its video's best a hit may score, for a model of that `scale`."""
    return float(100 * np.log(LIKELY_RATIO) / scale)


def runs(timeline: Timeline, hit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where runs of hits that join begin, as ordinals of `hit`, ascending positions."""
    if not len(hit):
        return np.empty(0, np.int64)
    reach = np.maximum(_JOIN, _JOIN * timeline.interval[hit])
    breaks = (np.diff(timeline.video[hit]) != 0) | (np.diff(timeline.t[hit]) > reach[1:])
    return np.flatnonzero(np.concatenate([[True], breaks]))


def merge(timeline: Timeline, scores: NDArray[np.float32], hit: NDArray[np.int64]) -> Spans:
    """Merge hits (positions in the timeline, ascending) into moments.

    Hits of a video join while they are within twice its sampling interval (at least two seconds)
    of each other and the moment stays within 30 seconds; every hit is in exactly one moment, and
    moments of a video do not overlap.
    """
    if not len(hit):
        none = np.empty(0, np.int64)
        times = none.astype("f8")
        return Spans(none, times, times, none, none.astype("f4"), none, none)
    video, t, until = timeline.video[hit], timeline.t[hit], timeline.until[hit]
    first = _bounded(runs(timeline, hit), t, until)
    count = np.diff(first, append=len(hit))
    best, score = peaks(scores, hit, np.repeat(np.arange(len(first)), count))
    end = until[first + count - 1]
    return Spans(video[first], t[first], end, best, score, first, count)


def peaks(
    scores: NDArray[np.float32], hit: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best hit of each moment, the earliest of equals, and its score.

    `owner` says for each hit in which moment it is; those come in order, each with a hit.
    """
    if not len(hit):
        return hit, np.empty(0, np.float32)
    best = np.maximum.reduceat(scores[hit], np.flatnonzero(np.diff(owner, prepend=-1)))
    top = np.flatnonzero(scores[hit] == best[owner])
    return hit[top[np.unique(owner[top], return_index=True)[1]]], best


def _bounded(
    first: NDArray[np.int64], t: NDArray[np.float64], until: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Split runs of joined hits that last longer than a moment may."""
    last = np.append(first[1:], len(t)) - 1
    extra = []
    for at in np.flatnonzero(until[last] - t[first] > _LONGEST):
        start, end = int(first[at]), int(last[at]) + 1
        while True:
            fit = start + int(np.searchsorted(until[start:end], t[start] + _LONGEST, "right"))
            start = max(fit, start + 1)  # a single frame may stand for longer
            if start >= end:
                break
            extra.append(start)
    return np.sort(np.append(first, np.array(extra, np.int64)))


def followed(
    first: Spans, second: Spans, within: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which moments of `first` are followed by one of `second` in the same video, and by which.

    One follows another if it starts after the other's start, at most `within` seconds after its
    end, and does not lie inside it; of several the best is taken, of equals the earliest.
    """
    ones, others = [], []
    begins = np.searchsorted(second.video, first.video)
    ends = np.searchsorted(second.video, first.video, "right")
    for at in np.flatnonzero(begins < ends):
        here = slice(int(begins[at]), int(ends[at]))
        fits = (second.start[here] > first.start[at]) & (second.end[here] > first.end[at])
        fits &= second.start[here] <= first.end[at] + within
        if fits.any():
            ones.append(at)
            others.append(here.start + int(np.where(fits, second.score[here], -np.inf).argmax()))
    return np.array(ones, np.int64), np.array(others, np.int64)


def ranked(spans: Spans) -> NDArray[np.int64]:
    """Return the order of moments: score, then path (videos are ordered by path), then start."""
    return np.lexsort((spans.start, spans.video, -spans.score))
