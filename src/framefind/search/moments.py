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

MAX_MOMENT_SECONDS = 30.0
"""Length up to which hits join; a single frame may stand for longer."""

_JOINED_INTERVALS = 2.0  # hits join within this many sampling intervals, and within as many seconds


@dataclass(frozen=True)
class Spans:
    """Moments as arrays of equal length, ordered by video and start."""

    video: NDArray[np.int64]  # ordinal of the video
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    best: NDArray[np.int64]  # position of the best hit in the timeline
    score: NDArray[np.float32]
    first: NDArray[np.int64]  # ordinal of the first of its hits

    def __len__(self) -> int:
        return len(self.video)

    def take(self, at: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Spans":
        """Return some of the moments, in the order of `at`."""
        return Spans(*(getattr(self, field.name)[at] for field in fields(self)))


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


def find_runs(timeline: Timeline, hit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where runs of hits that join begin: ordinals in `hit`, ascending positions."""
    if not len(hit):
        return np.empty(0, np.int64)
    reach = np.maximum(_JOINED_INTERVALS, _JOINED_INTERVALS * timeline.interval[hit])
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
        return Spans(none, times, times, none, none.astype("f4"), none)
    video = timeline.video[hit]
    t = timeline.t[hit]
    until = timeline.until[hit]
    first = _split_long(find_runs(timeline, hit), t, until)
    last = np.append(first[1:], len(hit)) - 1
    score = np.maximum.reduceat(scores[hit], first)
    moment = np.repeat(np.arange(len(first)), np.diff(first, append=len(hit)))
    winners = np.flatnonzero(scores[hit] == score[moment])
    best = hit[winners[np.unique(moment[winners], return_index=True)[1]]]
    return Spans(video[first], t[first], until[last], best, score, first)


def _split_long(
    first: NDArray[np.int64], t: NDArray[np.float64], until: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Split runs of joined hits that last longer than a moment may."""
    last = np.append(first[1:], len(t)) - 1
    extra = []
    for at in np.flatnonzero(until[last] - t[first] > MAX_MOMENT_SECONDS):
        start = int(first[at])
        end = int(last[at]) + 1
        while True:
            fit = start + int(
                np.searchsorted(until[start:end], t[start] + MAX_MOMENT_SECONDS, "right")
            )
            start = max(fit, start + 1)  # a single frame may stand for longer
            if start >= end:
                break
            extra.append(start)
    return np.sort(np.append(first, np.array(extra, np.int64)))


def find_followers(
    first: Spans, second: Spans, within: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which moments of `first` are followed by one of `second`, and by which.

    One follows another in the same video if it starts after the other's start, at most `within`
    seconds after its end, and does not lie inside it; of several the best is taken, of equals the
    earliest. Both are ordered by video and start.
    """
    starts = _place(second.video, second.start)
    begins = np.searchsorted(starts, _place(first.video, first.start), "right")
    ends = np.searchsorted(starts, _place(first.video, first.end + within), "right")
    counts = np.maximum(ends - begins, 0)
    leader = np.repeat(np.arange(len(first)), counts)
    follower = ranges(begins, counts)
    outlasts = second.end[follower] > first.end[leader]
    leader = leader[outlasts]
    follower = follower[outlasts]
    order = np.lexsort((follower, -second.score[follower], leader))
    leader, best = np.unique(leader[order], return_index=True)
    return leader, follower[order][best]


def _place(video: NDArray[np.int64], seconds: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return numbers that are ordered by video and time, as complex ones are."""
    return video + 1j * seconds


def order_moments(spans: Spans) -> NDArray[np.int64]:
    """Return the order by score, then path (videos are ordered by path), then start."""
    return np.lexsort((spans.start, spans.video, -spans.score))
