"""Search: keep what passes the filters, score it, make a page of moments or videos."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from framefind import models, moments
from framefind.confidence import Neutral, confidence
from framefind.filters import Filters
from framefind.moments import Moment, Page, Spans, Then, VideoMoments
from framefind.vectors import Scores, VectorIndex
from framefind.views import Box


class Search:
    """One query against one index."""

    def __init__(
        self,
        index: VectorIndex,
        model: models.Model,
        query: NDArray[np.float32],
        filters: Filters,
        near: Sequence[NDArray[np.float32]] = (),
        picture: bool = False,
        scores: Scores | None = None,
    ) -> None:
        """Score the frames with `query`, a unit vector, and merge the hits into moments.

        Of a large index only the videos are scored that are likely to hold the best moments for
        all of `near` together (default: for `query`). A page that reaches beyond them has all
        scored; the moments of the others then come after theirs, so that pages fit together.
        `picture`: the query has a picture in it, of which confidence is another one. `scores` are
        those of all that the filters keep, where they are known.
        """
        self._index, self._model, self._query, self._filters = index, model, query, filters
        self._picture = picture
        self._early = np.ones(len(index.videos), bool)  # which videos come first
        self._all = filters.select(index) if scores is None else scores.line
        if scores is None:
            scores = Scores(index, query, index.likely(self._all, near or [query]))
        self._score(scores)

    @property
    def complete(self) -> bool:
        """Whether all videos that pass the filters are scored, not only the likely ones."""
        return len(self._line) == len(self._all)

    def page(self, limit: int, offset: int, by: str, rank: str) -> Page:
        """A page of moments, or of videos."""
        found = len(self._spans) if by == "moment" else len(np.unique(self._spans.video))
        if found < offset + limit and not self.complete:
            self._widen()
        if by == "video":
            return self._videos(limit, offset, rank)
        spans = self._best(offset + limit)
        page = spans.take(self._ranked(spans)[offset : offset + limit])
        return Page(self._moments(page), len(self._spans), offset, complete=self.complete)

    def sequences(
        self, then: "Search", within: float, limit: int, offset: int, enough: Filters
    ) -> Page:
        """A page of moments that are followed by one of `then` within so many seconds.

        Both searches have the same filters and the same `near`. A moment's score is the mean of
        both, its confidence the lower one; `enough` has the `min_score` and `min_confidence` for
        them.
        """
        pairs, others, sure = self._pairs(then, within, enough)
        if len(pairs) < offset + limit and not self.complete:
            self._widen()
            then._widen()
            pairs, others, sure = self._pairs(then, within, enough)
        page = np.arange(len(pairs))[offset : offset + limit]
        found = zip(self._moments(pairs.take(page)), then._moments(others.take(page)), strict=True)
        shown = [
            replace(
                one,
                confidence=float(sure[at]),
                then=Then(other.start, other.end, other.t, other.score),
            )
            for at, (one, other) in zip(page, found, strict=True)
        ]
        return Page(shown, len(pairs), offset, complete=self.complete)

    def _score(self, scores: Scores) -> None:
        """Make moments of the frames with these scores, settled as far as it takes."""
        line, scale, filters = scores.line, self._model.scale, self._filters
        self._line, self._scores = line, scores
        self._scores.settle_hits(moments.margin(scale), filters.min_score)
        self._hits = moments.hits(line, self._scores.values, None, scale, filters.min_score)
        self._spans = moments.merge(line, self._scores.values, self._hits)
        if filters.min_confidence is not None:
            spans = self._settled(self._spans)
            self._spans = spans.take(self._confidence(spans) >= filters.min_confidence)

    def _widen(self) -> None:
        """Score all videos that pass the filters."""
        early = np.zeros(len(self._index.videos), bool)
        early[self._line.video] = True
        self._early = early
        self._score(Scores(self._index, self._query, self._all))

    def _ranked(self, spans: Spans) -> NDArray[np.int64]:
        """The order of moments."""
        return moments.ranked(spans, self._early)

    def _best(self, count: int) -> Spans:
        """Moments among which are the first `count` of all, with their exact scores."""
        spans = self._spans
        if count < len(spans):
            # A score is out by `slack` at most, and so are those it competes with.
            slack = float(self._scores.slack[self._hits].max(initial=0))
            place = spans.score + 1e3 * self._early[spans.video]
            spans = spans.take(place >= np.partition(place, -count)[-count] - 2 * slack)
        return self._settled(spans)

    def _settled(self, spans: Spans) -> Spans:
        """These moments with their exact scores and best times."""
        at, owner = spans.hits()
        hits, scores = self._hits[at], self._scores
        least = np.full(len(spans), -np.inf, np.float32)
        np.maximum.at(least, owner, scores.values[hits] - scores.slack[hits])
        scores.settle(hits[scores.values[hits] + scores.slack[hits] >= least[owner]])
        best, score = moments.peaks(scores.values, hits, owner)
        return replace(spans, best=best, score=score)

    def _pairs(
        self, then: "Search", within: float, enough: Filters
    ) -> tuple[Spans, Spans, NDArray[np.float64]]:
        """Moments that are followed, with the mean scores; what follows them; how sure both are."""
        first, second = self._settled(self._spans), then._settled(then._spans)
        times = self._line.t[first.best], then._line.t[second.best]
        ones, others = moments.followed(first, second, *times, within)
        first, second = first.take(ones), second.take(others)
        sure = np.minimum(self._confidence(first), then._confidence(second))
        pairs = replace(first, score=(first.score + second.score) / np.float32(2))
        order = self._ranked(pairs)
        order = order[enough.allow(pairs.score[order], sure[order])]
        return pairs.take(order), second.take(order), sure[order]

    def _videos(self, limit: int, offset: int, rank: str) -> Page:
        shown = np.unique(self._spans.video)
        wanted = self._hits[np.isin(self._line.video[self._hits], shown)]
        wanted = self._leading(wanted, offset + limit, rank)
        self._scores.settle(wanted)  # each has a part in the ranks
        ranked, scores, _ = self._rank(wanted, rank)
        order = np.argsort(~self._early[ranked], kind="stable")[offset : offset + limit]
        spans = self._settled(self._spans.take(np.isin(self._spans.video, ranked[order])))
        videos = []
        for at in order:
            own = spans.take(spans.video == ranked[at])
            known = self._index.videos[ranked[at]]
            listed = self._moments(own.take(moments.ranked(own)))
            videos.append(VideoMoments(known.path, known.video_id, float(scores[at]), listed))
        flat = [moment for video in videos for moment in video.moments]
        return Page(flat, len(shown), offset, videos, complete=self.complete)

    def _leading(self, hits: NDArray[np.int64], count: int, rank: str) -> NDArray[np.int64]:
        """Those of the hits whose videos may be among the first `count`."""
        ranked, scores, errors = self._rank(hits, rank)
        if count >= len(ranked):
            return hits
        place = scores + 1e9 * self._early[ranked]
        last = np.partition(place - errors, -count)[-count]
        return hits[np.isin(self._line.video[hits], ranked[place + errors >= last])]

    def _rank(
        self, hits: NDArray[np.int64], rank: str
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The videos of the hits, best first, their scores, and by how much those are out."""
        values, slack, scale = self._scores.values, self._scores.slack, self._model.scale
        ranked, scores = moments.rank_videos(self._line, values, hits, rank, scale)
        videos, first, counts = np.unique(
            self._line.video[hits], return_index=True, return_counts=True
        )
        most = np.maximum.reduceat(slack[hits], first) if len(hits) else slack[:0]
        errors = moments.rank_error(rank, most, counts, scale)
        return ranked, scores, errors[np.searchsorted(videos, ranked)]

    def _confidence(self, spans: Spans) -> NDArray[np.float64]:
        scores, neutral = self._scores, self._neutral
        return sureness(self._index, self._query, scores, spans.best, spans.score, neutral)

    @cached_property
    def _neutral(self) -> Neutral:
        return models.neutral(self._model, self._picture)

    def _moments(self, spans: Spans) -> list[Moment]:
        sure = self._confidence(spans)
        boxes = self._index.boxes[self._scores.best_views(spans.best)]
        times = self._line.t[spans.best]
        videos = [self._index.videos[video] for video in spans.video]
        return [
            Moment(
                path=video.path,
                video_id=video.video_id,
                start=float(spans.start[at]),
                end=float(spans.end[at]),
                t=float(times[at]),
                score=float(spans.score[at]),
                confidence=float(sure[at]),
                box=_box(boxes[at]),
            )
            for at, video in enumerate(videos)
        ]


def sureness(
    index: VectorIndex,
    query: NDArray[np.float32],
    scores: Scores,
    at: NDArray[np.int64],
    exact: NDArray[np.float32],
    neutral: Neutral,
) -> NDArray[np.float64]:
    """The confidence in frames at these positions of the timeline, whose `exact` scores are known.

    Their best views are read only where confidence looks at them.
    """
    rows = np.empty(0, np.int64) if neutral.of_pictures else scores.best_views(at)
    views = index.vectors[rows].astype(np.float32)
    return confidence(exact, query, views, neutral)


def _box(row: NDArray[np.float32]) -> Box:
    x, y, width, height = row.tolist()
    return x, y, width, height
