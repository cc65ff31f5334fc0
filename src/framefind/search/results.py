"""Results of one query in the videos that were scanned: moments, videos or pairs, best first.

Everything is decided inside one video, so that an unrelated video never changes another's results.
What no page shows is not computed exactly.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from framefind.files.names import readable_first
from framefind.index.bounds import (
    PossibleHits,
    bound_best,
    bound_pairs,
    bound_softmax,
    bound_sum,
    find_possible_hits,
)
from framefind.index.scores import Positions, Scores
from framefind.models.confidence import Neutral, confidence
from framefind.search.fusion import EXCLUDED, PlacedHits
from framefind.search.moments import (
    MAX_MOMENT_SECONDS,
    Spans,
    find_followers,
    find_runs,
    hit_thresholds,
    keep_parts,
    margin,
    merge,
    near_thresholds,
    order_moments,
)
from framefind.search.ranking import find_leading, narrow_bounds, rank_videos
from framefind.search.why import explain
from framefind.types import Moment, Query, Then, VideoMoments

_SAMPLED_PAIR_VIDEOS = 4  # the best ones, which have most of the best pairs


@dataclass(frozen=True)
class Scored:
    """Scanned videos, their scores for a query or for what follows, and what judges those."""

    query: Query
    scores: Scores
    neutral: Neutral
    scale: float
    words: PlacedHits | None = None

    @property
    def videos(self) -> Positions:
        """Return all videos: ordinals of `scores.line.of_videos`."""
        return np.arange(len(self.scores.line.of_videos[0]))

    @property
    def min_score(self) -> float:
        """Return the least score of a hit; with `then` only pairs need one."""
        query = self.query
        lowest = EXCLUDED / 2 if self.words and self.words.hits.must_occur else -np.inf
        if query.then is not None or query.min_score is None:
            return lowest
        return max(lowest, query.min_score)

    @property
    def min_confidence(self) -> float | None:
        """Return the least confidence of a moment; with `then` only pairs need one."""
        return self.query.min_confidence if self.query.then is None else None


@dataclass(frozen=True)
class Moments:
    """Moments, best first."""

    scored: Scored
    spans: Spans
    """Their `best` are positions in the timeline; their scores are exact."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """Return the score of each."""
        return self.spans.score

    @cached_property
    def views(self) -> NDArray[np.int64]:
        """Return the row of the best view of each one's best frame."""
        return self.scored.scores.best_views(self.spans.best)

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """Return the confidence in each."""
        words = self.scored.words
        best = self.spans.best
        return self.visual if words is None else np.maximum(self.visual, words.confidence(best))

    @cached_property
    def visual(self) -> NDArray[np.float64]:
        """Return the confidence in each by its picture alone."""
        scores = self.scored.scores
        neutral = self.scored.neutral
        return judge_frames(scores, self.spans.best, self.spans.score, neutral)

    def take(self, at: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Moments":
        """Return some of them."""
        return Moments(self.scored, self.spans.take(at))

    def show(self, part: slice) -> list[Moment]:
        """Return some of them for people."""
        selected = self.take(part)
        spans = selected.spans
        index = self.scored.scores.index
        videos = {at: index.videos[at] for at in set(spans.video.tolist())}
        paths = {at: readable_first(video.paths)[0] for at, video in videos.items()}
        numbers = (spans.start, spans.end, self.scored.scores.line.t[spans.best], spans.score)
        columns = (spans.video, *numbers, selected.confidence, selected.boxes)
        moments = [
            Moment(
                paths[video], videos[video].video_id, start, end, t, score, confidence, tuple(box)
            )
            for video, start, end, t, score, confidence, box in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]
        return explain(moments, selected.visual, self.scored.words, index.text)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """Return the box of each: of its best view, or of words that are surer."""
        boxes = self.scored.scores.index.boxes[self.views]
        words = self.scored.words
        if words is None:
            return boxes
        word_boxes = words.boxes(self.spans.best)
        is_read = (words.confidence(self.spans.best) > self.visual) & ~np.isnan(word_boxes[:, 0])
        return np.where(is_read[:, np.newaxis], word_boxes, boxes)


@dataclass(frozen=True)
class Videos:
    """Videos, best first: positions, and their scores by the rank."""

    scored: Scored
    videos: Positions
    scores: NDArray[np.float64]

    def show(self, part: slice) -> list[VideoMoments]:
        """Return some of them for people, with all of their moments."""
        videos = self.videos[part]
        scores = self.scores[part].tolist()
        moments: dict[str, list[Moment]] = {}
        for moment in find_moments(self.scored, np.sort(videos)).show(slice(None)):
            moments.setdefault(moment.video_id, []).append(moment)
        line = self.scored.scores.line
        index = self.scored.scores.index
        ordinals = line.video[line.of_videos[0][videos]].tolist()
        grouped = [moments[index.videos[ordinal].video_id] for ordinal in ordinals]
        return [
            VideoMoments(video_moments[0].path, video_moments[0].video_id, score, video_moments)
            for video_moments, score in zip(grouped, scores, strict=True)
        ]


@dataclass(frozen=True)
class Pairs:
    """Moments and those that follow them, best first."""

    first: Moments
    second: Moments
    scores: NDArray[np.float32]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Return the lower confidence of both."""
        return np.minimum(self.first.confidence, self.second.confidence)

    def take(self, at: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Pairs":
        """Return some of them."""
        return Pairs(self.first.take(at), self.second.take(at), self.scores[at])

    def show(self, part: slice) -> list[Moment]:
        """Return some of them for people."""
        selected = self.take(part)
        every = slice(None)
        columns = (
            selected.first.show(every),
            selected.second.show(every),
            selected.scores.tolist(),
        )
        return [
            replace(
                first,
                score=score,
                confidence=min(first.confidence, second.confidence),
                then=Then(second.start, second.end, second.t, second.score, second.confidence),
            )
            for first, second, score in zip(*columns, strict=True)
        ]


Results = Moments | Videos | Pairs


def find_results(scored: Scored, second: Scored | None, count: int, floor: float) -> Results:
    """Return the first `count` results, and perhaps more; those below `floor` may be missing.

    `second` are the scores of the same frames for what follows, if the query has `then`.
    """
    if second is not None:
        return _find_first_pairs(scored, second, count, floor)
    if scored.query.by == "video":
        return _find_first_videos(scored, count, floor)
    low, high = bound_best(scored.scores, scored.min_score)
    return find_leading(low, high, count, lambda videos: find_moments(scored, videos, count), floor)


def judge_frames(
    scores: Scores, at: Positions, exact: NDArray[np.float32], neutral: Neutral
) -> NDArray[np.float64]:
    """Return the confidence, 0 to 1, in frames at these positions by their pictures alone.

    `exact` are their scores, in which the gains by words are included. The vectors of their best
    views are read only where the confidence depends on them.
    """
    rows = np.empty(0, np.int64) if neutral.of_images else scores.best_views(at)
    visual = exact - scores.gains(at)
    return confidence(visual, scores.query, scores.index.read_vectors(rows), neutral)


def find_moments(scored: Scored, videos: Positions, count: int | None = None) -> Moments:
    """Return the moments of these videos, best first: all, or at least the first `count`."""
    scores = scored.scores
    line = scores.line
    if scored.min_confidence is not None and (scored.words or not scored.neutral.of_images):
        count = None  # confidence does not rise with the score
    videos, best = scores.top(videos, count)
    near, is_hit = scores.near_hits(
        videos,
        near_thresholds(best, scored.scale),
        hit_thresholds(best, scored.scale, scored.min_score),
        count,
        lambda at: find_runs(line, at),
    )
    hits = keep_parts(line, near, is_hit)
    spans = merge(line, scores.values, hits)
    groups, best_hits, score = scores.peaks(hits, spans.first, count)
    spans = replace(spans.take(groups), best=best_hits, score=score)
    moments = Moments(scored, spans.take(order_moments(spans)))
    if scored.min_confidence is None:
        return moments
    return moments.take(moments.confidence >= scored.min_confidence)


# -- videos


def _find_first_videos(scored: Scored, count: int, floor: float) -> Videos:
    """Return the first videos by the rank of the query."""
    scores = scored.scores
    rank = scored.query.rank

    def bound(videos: Positions) -> NDArray[np.float64]:
        high = np.full(len(videos), -np.inf)
        hits = find_possible_hits(scores, videos, margin(scored.scale), scored.min_score)
        if len(hits.at):
            high[np.searchsorted(videos, hits.videos)] = _bound_rank(hits, rank, scored.scale)
        return high

    def refine_and_bound(videos: Positions) -> NDArray[np.float64]:
        hits = find_possible_hits(scores, videos, margin(scored.scale), scored.min_score)
        scores.refine(hits.at)
        return bound(videos)

    def find(videos: Positions) -> Videos:
        return _rank_exactly(scored, videos)

    high = bound(scored.videos) if rank == "sum" else bound_best(scores, scored.min_score)[1]
    bounds = [] if rank == "max" else [bound, refine_and_bound]
    high, floor = narrow_bounds(high, count, find, bounds, floor)
    return find_leading(high, high, count, find, floor)


def _bound_rank(hits: PossibleHits, rank: str, scale: float) -> NDArray[np.float64]:
    if rank == "sum":
        return bound_sum(hits)
    return bound_softmax(hits, 100 / scale)


def _rank_exactly(scored: Scored, videos: Positions) -> Videos:
    """Return those of the videos that have moments, best first."""
    scores = scored.scores
    line = scores.line
    if scored.min_confidence is not None:
        moments = find_moments(scored, videos)
        owners = line.video[line.of_videos[0][videos]]
        videos = videos[np.isin(owners, moments.spans.video)]
    videos, best = scores.top(videos)
    hits = scores.hits(videos, hit_thresholds(best, scored.scale, scored.min_score))
    scores.exact(hits)  # each hit has a part in the rank
    ranked, rank_scores = rank_videos(line, scores.values, hits, scored.query.rank, scored.scale)
    first = line.of_videos[0]
    return Videos(scored, np.searchsorted(line.video[first], ranked), rank_scores)


# -- pairs


def _find_first_pairs(scored: Scored, second: Scored, count: int, floor: float) -> Pairs:
    """Return the first pairs of a moment and one that follows it."""
    line = scored.scores.line
    longest = float((line.until - line.since).max(initial=MAX_MOMENT_SECONDS))
    reach = (MAX_MOMENT_SECONDS, 2 * longest + scored.query.within)

    def bound(videos: Positions) -> NDArray[np.float64]:
        return bound_pairs(scored.scores, second.scores, videos, margin(scored.scale), reach)

    def find(videos: Positions) -> Pairs:
        return _find_pairs(scored, second, videos, count)

    high = (bound_best(scored.scores, -np.inf)[1] + bound_best(second.scores, -np.inf)[1]) / 2
    high, floor = narrow_bounds(high, count, find, [bound], floor, _SAMPLED_PAIR_VIDEOS)
    return find_leading(high, high, count, find, floor)


def _find_pairs(scored: Scored, second: Scored, videos: Positions, count: int) -> Pairs:
    """Return the pairs of these videos, best first."""
    query = scored.query
    first, follower = (_by_time(find_moments(ranked, videos)) for ranked in (scored, second))
    at, follower_at = find_followers(first.spans, follower.spans, query.within)
    first = first.take(at)
    follower = follower.take(follower_at)
    scores = (first.scores + follower.scores) / np.float32(2)
    order = order_moments(replace(first.spans, score=scores))
    if query.min_score is not None:
        order = order[scores[order] >= query.min_score]
    pairs = Pairs(first, follower, scores).take(order)
    if query.min_confidence is None:
        return pairs
    return pairs.take(pairs.confidence >= query.min_confidence)


def _by_time(moments: Moments) -> Moments:
    return moments.take(np.lexsort((moments.spans.start, moments.spans.video)))
