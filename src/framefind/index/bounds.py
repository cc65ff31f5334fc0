"""Bounds of what whole videos may score, from scores of their frames that are not exact yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framefind.index.groups import count_members, list_starts
from framefind.index.scores import Positions, Scores

_SOFTMAX_ROUNDS = 3  # more rounds hardly bring a bound any nearer
_ROUNDING = 1e-6  # relative; what is bounded is rounded to float32, or added up in another order
_BIN_SECONDS = 32.0
_MAX_BINS = 64  # that a pair may span; beyond, only the best frames of a video bound it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PossibleHits:
    """The frames of some videos that may be hits, by video, and between what their scores lie.

    `first` is where the frames of each video begin in the other arrays, all float64 (frames,) but
    `at`, positions, and `certain`, whether the frame is a hit for sure. `videos` are those of
    the videos asked for that may have a hit.
    """

    videos: Positions
    at: Positions
    first: Positions
    low: Floats
    high: Floats
    certain: NDArray[np.bool_]


def bound_best(scores: Scores, min_score: float) -> tuple[Floats, Floats]:
    """Return bounds of each video's best hit: (videos,) twice; -inf where it cannot have any."""
    best = scores.best.astype(np.float64)
    slack = scores.video_slack.astype(np.float64)
    missing = best + slack < min_score
    return np.where(missing, -np.inf, best - slack), np.where(missing, -np.inf, best + slack)


def find_possible_hits(
    scores: Scores, videos: Positions, margin: float, min_score: float
) -> PossibleHits:
    """Find the frames of `videos` that may be hits.

    A hit reaches `min_score` and is at most `margin` below its video's best frame.
    """
    at, first = scores.frames_of(videos)
    counts = count_members(first, len(at))
    low, high = scores.bound_peaks(at, first)
    possible_cut = np.maximum(low.astype(np.float64) - margin, min_score)
    certain_cut = np.maximum(high.astype(np.float64) - margin, min_score)
    owner = np.repeat(np.arange(len(videos)), counts)
    near = np.flatnonzero(scores.values[at] + scores.slack[at] >= possible_cut[owner])
    at = at[near]
    owner = owner[near]
    first = list_starts(owner)
    values = scores.values[at].astype(np.float64)
    slack = scores.slack[at].astype(np.float64)
    certain = values - slack >= certain_cut[owner]
    return PossibleHits(videos[owner[first]], at, first, values - slack, values + slack, certain)


def bound_sum(hits: PossibleHits) -> Floats:
    """Return an upper bound of the sum of each video's hits: (videos,)."""
    return _raise(
        np.add.reduceat(np.where(hits.certain, hits.high, _positive(hits.high)), hits.first)
    )


def bound_softmax(hits: PossibleHits, temperature: float) -> Floats:
    """Return an upper bound of the mean of each video's hits weighted by exp(score / temperature).

    The greatest mean f that any scores within the bounds give is where the greatest sum of
    (score - f) × weight is zero. That sum is greatest with each score at an end of its bounds,
    since (x - f) exp(x / T) has one minimum and no maximum, and with the uncertain hits that add to
    it (Dinkelbach 1967). Rounds from below come near f; the sum that is left, over the least weight
    there can be, bounds how near.
    """
    counts = np.diff(hits.first, append=len(hits.at))
    best = np.maximum.reduceat(hits.high, hits.first)
    heavy = np.exp((hits.high - np.repeat(best, counts)) / temperature)
    light = np.exp((hits.low - np.repeat(best, counts)) / temperature)
    min_weight = np.add.reduceat(light * hits.certain, hits.first)
    mean = np.add.reduceat(hits.high * heavy, hits.first) / np.add.reduceat(heavy, hits.first)
    mean -= np.maximum.reduceat(hits.high - hits.low, hits.first)  # a start from below
    for _ in range(_SOFTMAX_ROUNDS):
        frame_mean = np.repeat(mean, counts)
        high_gain, low_gain = (hits.high - frame_mean) * heavy, (hits.low - frame_mean) * light
        added = np.maximum(high_gain, low_gain)
        used = hits.certain | (added > 0)
        weight = np.add.reduceat(np.where(high_gain >= low_gain, heavy, light) * used, hits.first)
        surplus = np.add.reduceat(added * used, hits.first)
        mean += surplus / np.maximum(weight, 1e-300)
    frame_mean = np.repeat(mean, counts)
    added = np.maximum((hits.high - frame_mean) * heavy, (hits.low - frame_mean) * light)
    surplus = np.add.reduceat(np.where(hits.certain, added, _positive(added)), hits.first)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.where(min_weight > 0, mean + _positive(surplus) / min_weight, np.inf)
    return _raise(np.minimum(bound, best))


def bound_pairs(
    first: Scores, second: Scores, videos: Positions, margin: float, reach: tuple[float, float]
) -> Floats:
    """Return an upper bound of the mean score of a hit and one that follows it: (videos,).

    Both are scores of the same timeline. `reach` is how many seconds a hit may come before and
    after the one that it follows.
    """
    at, begins = first.frames_of(videos)
    if not len(at):
        return np.empty(0, np.float64)
    line = first.line
    t = line.t[at]
    back, ahead = (int(np.ceil(seconds / _BIN_SECONDS)) for seconds in reach)
    owner = np.repeat(np.arange(len(videos)), count_members(begins, len(at)))
    bins = np.floor((t - t[begins][owner]) / _BIN_SECONDS)
    room = np.maximum.reduceat(bins, begins) + 1 + back + ahead  # so that none sees the next video
    if back + ahead > _MAX_BINS or room.sum() > 4 * len(at) + _MAX_BINS * len(videos):
        bound = (_upper(first, at, begins) + _upper(second, at, begins)) / 2
        return _raise(bound)
    offset = np.cumsum(room) - room
    place = (offset[owner] + bins).astype(np.int64)
    starts = list_starts(place)
    leading = np.full(int(room.sum()), -np.inf)
    following = leading.copy()
    for scores, best in ((first, leading), (second, following)):
        high = scores.values[at] + scores.slack[at]
        low, _ = scores.bound_peaks(at, begins)
        possible = np.where(high >= (low.astype(np.float64) - margin)[owner], high, -np.inf)
        best[place[starts]] = np.maximum.reduceat(possible, starts)
    reached = following.copy()
    for step in range(1, ahead + 1):
        np.maximum(reached[:-step], following[step:], out=reached[:-step])
    for step in range(1, back + 1):
        np.maximum(reached[step:], following[:-step], out=reached[step:])
    return _raise(np.maximum.reduceat((leading + reached) / 2, offset.astype(np.int64)))


def _upper(scores: Scores, at: Positions, first: Positions) -> Floats:
    return scores.bound_peaks(at, first)[1].astype(np.float64)


def _positive(values: Floats) -> Floats:
    return np.maximum(values, 0.0)


def _raise(bound: Floats) -> Floats:
    """Raise bounds by what adding up in another order may change."""
    return bound + _ROUNDING * (1 + np.abs(bound))
