"""Moments: hits that are neighbours in time, merged, as far as their shots are about the same.

Everything here is decided inside one video, so that an unrelated video never changes another's
moments, scores or confidence.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from framefind.index.groups import count_members
from framefind.index.timeline import Timeline, ranges

LIKELY_RATIO = 8.0
"""A hit is at most this many times less likely, to the model, than its video's best frame."""

NEAR_MARGINS = 1.5
"""A frame of a hit's shot is near if it is no more margins than this below its video's best."""

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


def hit_thresholds(
    best: NDArray[np.float32], scale: float, min_score: float = -np.inf
) -> NDArray[np.float64]:
    """Return the score from which on a frame is a hit, for each video by its best frame's.

    A hit reaches `min_score`, and the model, whose logits are `scale` × cosine, finds it at most
    `LIKELY_RATIO` times less likely than its video's best frame.
    """
    return np.maximum(best.astype(np.float64) - margin(scale), min_score)


def near_thresholds(best: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Return the score from which on a frame may belong to a hit of its shot, for each video."""
    return best.astype(np.float64) - NEAR_MARGINS * margin(scale)


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


def keep_parts(
    timeline: Timeline, near: NDArray[np.int64], is_hit: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the near frames that a hit takes with it: those of one shot that join, with a hit.

    `near` are positions, ascending; `is_hit` tells which of them are hits.
    """
    if not len(near):
        return near
    begins = np.diff(timeline.shot[near], prepend=-1) != 0
    begins[find_runs(timeline, near)] = True
    first = np.flatnonzero(begins)
    is_kept = np.logical_or.reduceat(is_hit, first)
    return np.asarray(near[np.repeat(is_kept, count_members(first, len(near)))])


def merge(timeline: Timeline, scores: NDArray[np.float32], hit: NDArray[np.int64]) -> Spans:
    """Merge hits, and frames that they take with them, into moments.

    They are positions in the timeline, ascending. Those of a video join while they are within twice
    its sampling interval (at least two seconds) of each other and the moment stays within 30
    seconds; each is in exactly one moment, and moments of a video do not overlap. A moment begins
    and ends with what its frames stand for: where a shot does, if it reaches that far.
    """
    if not len(hit):
        none = np.empty(0, np.int64)
        times = none.astype("f8")
        return Spans(none, times, times, none, none.astype("f4"), none)
    video = timeline.video[hit]
    since = timeline.since[hit]
    until = timeline.until[hit]
    first = _split_long(find_runs(timeline, hit), since, until, timeline.shot[hit])
    last = np.append(first[1:], len(hit)) - 1
    score = np.maximum.reduceat(scores[hit], first)
    moment = np.repeat(np.arange(len(first)), count_members(first, len(hit)))
    winners = np.flatnonzero(scores[hit] == score[moment])
    best = hit[winners[np.unique(moment[winners], return_index=True)[1]]]
    return Spans(video[first], since[first], until[last], best, score, first)


def _split_long(
    first: NDArray[np.int64],
    since: NDArray[np.float64],
    until: NDArray[np.float64],
    shot: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Split runs of joined hits that last longer than a moment may, where shots end if possible."""
    last = np.append(first[1:], len(since)) - 1
    extra = []
    for at in np.flatnonzero(until[last] - since[first] > MAX_MOMENT_SECONDS):
        start = int(first[at])
        end = int(last[at]) + 1
        while True:
            fit = start + int(
                np.searchsorted(until[start:end], since[start] + MAX_MOMENT_SECONDS, "right")
            )
            fit = max(fit, start + 1)  # a single frame may stand for longer
            if fit >= end:
                break
            begins = np.flatnonzero(np.diff(shot[start : fit + 1])) + 1
            start = start + int(begins[-1]) if len(begins) else fit
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
