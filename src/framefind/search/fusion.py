"""Fusion: words that match raise the scores of the frames that they are said or written over.

Scores are log-likelihoods, to the model's scale: a hit that is e times likelier scores 100 / scale
more. A match of words is worth as many nats as `query_words` says, so that both add up. That was
measured against ranks and confidences, each fused by several rules (docs/benchmarks.md).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framefind.index.scores import Positions, Scores
from framefind.index.timeline import Timeline, ranges
from framefind.index.vectors import VectorIndex
from framefind.search.query_words import WordHits

EXCLUDED = -1000.0
"""Added to the score of a frame that lacks words which must occur."""

_SHORTEST_SECONDS = 0.1  # that a cue counts for


@dataclass(frozen=True)
class PlacedHits:
    """Words over frames: `owner` (frames,) is each frame's best hit, -1 without one.

    `start` and `end` (hits,) are when the frames stand that a hit is over, in seconds.
    """

    hits: WordHits
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    owner: NDArray[np.int64]

    def confidence(self, at: Positions) -> NDArray[np.float64]:
        """Return the confidence that words give frames at these positions; 0 without any."""
        owner = self.owner[at]
        confidences = np.zeros(len(at))
        confidences[owner >= 0] = self.hits.confidence[owner[owner >= 0]]
        return confidences

    def boxes(self, at: Positions) -> NDArray[np.float32]:
        """Return where the words stand in frames at these positions; NaN where in none."""
        owner = self.owner[at]
        boxes = np.full((len(at), 4), np.nan, np.float32)
        boxes[owner >= 0] = self.hits.box[owner[owner >= 0]]
        return boxes


def fuse(
    scores: list[Scores], words: list[WordHits | None], scale: float
) -> list[tuple[Scores, PlacedHits | None]]:
    """Return scores of the same frames, each raised by its words, with those words.

    Frames are cut where words begin and end, all in the same way.
    """
    index = scores[0].index
    line = scores[0].line
    placed = [None if hits is None else _in_line(hits, index, line) for hits in words]
    present = [spans for spans in placed if spans is not None]
    if not present:
        return [(plain, None) for plain in scores]
    video = np.concatenate([spans.video for spans in present])
    borders = [spans.start for spans in present] + [spans.end for spans in present]
    cut, origin = line.cut(np.concatenate([video, video]), np.concatenate(borders))
    no_gain = np.zeros(len(cut), np.float32)
    return [
        (plain.raised(cut, origin, no_gain), None)
        if spans is None
        else _raise(plain, spans, cut, origin, scale)
        for plain, spans in zip(scores, placed, strict=True)
    ]


@dataclass(frozen=True)
class _Spans:
    """Hits in the videos of a line, and where: ordinals of videos, seconds."""

    hits: WordHits
    video: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def find_videos(hits: WordHits, index: VectorIndex) -> NDArray[np.int64]:
    """Return the ordinal of the video of each hit; -1 of those that the index has not got."""
    names, place = np.unique(hits.video_id, return_inverse=True)
    ordinals = [index.videos.find(name) for name in names.tolist()]
    return np.array([-1 if at is None else at for at in ordinals], np.int64)[place]


def _in_line(hits: WordHits, index: VectorIndex, line: Timeline) -> _Spans:
    """Place hits in the frames of a line; those before the first or after the last move there."""
    video = find_videos(hits, index)
    videos = line.video[line.of_videos[0]]
    at = np.searchsorted(videos, video)
    is_here = (at < len(videos)) & (video >= 0)
    is_here[is_here] &= videos[at[is_here]] == video[is_here]
    hits = hits.take(is_here)
    at = at[is_here]
    first, counts = (column[at] for column in line.of_videos)
    last = first + counts - 1
    start = np.where(hits.start >= line.until[last], line.t[last], hits.start)
    end = np.maximum(hits.end, np.maximum(start, line.t[first]) + _SHORTEST_SECONDS)
    return _Spans(hits, line.video[first], start, end)


def _raise(
    scores: Scores, spans: _Spans, cut: Timeline, origin: Positions, scale: float
) -> tuple[Scores, PlacedHits]:
    """Raise the scores of the frames that stand while words do: by the best where several do."""
    hits = spans.hits
    order = np.lexsort((hits.confidence, hits.gain))  # the best comes last, and stays
    first, counts = cut.covered(spans.video[order], spans.start[order], spans.end[order])
    owner = np.full(len(cut), -1)
    owner[ranges(first, counts)] = np.repeat(order, counts)
    has_words = owner >= 0
    gain = np.full(len(cut), EXCLUDED if hits.must_occur else 0, np.float32)
    gain[has_words] = hits.gain[owner[has_words]] * 100 / scale
    return scores.raised(cut, origin, gain), PlacedHits(hits, spans.start, spans.end, owner)
