"""Search: embed queries, scan the index, merge hits into moments, rank them, make pages.

All frames are scored approximately, with a proved bound. Only in the videos that a page may show
are frames scored exactly, cut and merged into moments, so that an unrelated video never changes
another's moments, and what no page shows costs nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from framefind.files.names import readable_first
from framefind.index.int8_scan import Scan, Scores, scan, scan_together
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex
from framefind.models.base import Model
from framefind.models.confidence import MAYBE, Neutral, confidence
from framefind.models.neutral import load_neutral
from framefind.search import moments
from framefind.search.filters import Filters, names_of
from framefind.search.moments import Spans
from framefind.search.query_vectors import Embedded, embed_queries, notes
from framefind.search.ranking import LOWEST, leading, rank_bounds, rank_videos
from framefind.types import Box, FrameScores, Moment, Page, Query, Then, VideoMoments

_BATCH = 256  # queries whose pages are made before the first is given
_FEW = 16  # fewer queries are scanned one by one: 8-bit codes are read faster than vectors
_TYPICAL = 16  # best frames whose neutral scores tell which score is of some confidence


@dataclass(frozen=True)
class Judge:
    """What a search needs of a model once its queries are embedded."""

    scale: float
    neutral: Neutral

    @classmethod
    def of(cls, model: Model) -> "Judge":
        """Return what a search needs of this model."""
        return cls(model.scale, load_neutral(model))

    def neutral_for(self, query: Query) -> Neutral:
        """Return what confidence in answers to a query is measured against."""
        return self.neutral.for_images() if query.images else self.neutral


def search(queries: Sequence[Query], index: VectorIndex, model: Model) -> Iterator[Page]:
    """Yield the page of each query, in their order; each is the one that its query gets alone.

    All texts are embedded in one call. Queries with the same filters are scored together, by one
    matrix product over the frames that those keep. Raises QueryError, before the first page, when
    one of them is no query or keeps videos by a name that no video of the library has.
    """
    for patterns in {Filters.of(query).videos for query in queries} - {()}:
        names_of(index).check(patterns)
    embedded = embed_queries(queries, lambda: index, model)
    judge = Judge.of(model)
    for start in range(0, len(embedded), _BATCH):
        part = embedded[start : start + _BATCH]
        for query, page in zip(part, answer(part, index, judge), strict=True):
            yield replace(page, notes=notes(query.query, model))


def answer(queries: Sequence[Embedded], index: VectorIndex, judge: Judge) -> list[Page]:
    """Return the pages of embedded queries, in their order."""
    pages: dict[int, Page] = {}
    for filters, members in alike([one.query for one in queries]).items():
        line, group = filters.select(index), [queries[at] for at in members]
        followers = _Followers(index)
        for at, query, parts in zip(members, group, _parts(group, index, line), strict=True):
            pages[at] = _page(query, judge, parts, followers)
    return [pages[at] for at in range(len(queries))]


def answer_share(query: Embedded, judge: Judge, scanned: Scan, floor: float = LOWEST) -> Page:
    """Return the first page for one share of a library, whose frames have been scanned.

    What scores below `floor` may be left out: as much is known to be better in other shares.
    """
    return _page(query, judge, [scanned], _Followers(scanned.index), floor)


def alike(queries: Sequence[Query]) -> dict[Filters, list[int]]:
    """Return which queries let the same frames be found, and by what filters."""
    members: dict[Filters, list[int]] = {}
    for at, query in enumerate(queries):
        alone = replace(Filters.of(query), min_score=None, min_confidence=None)
        members.setdefault(alone, []).append(at)
    return members


def frame_scores(query: Query, video_id: str, index: VectorIndex, model: Model) -> FrameScores:
    """Score every sampled frame of one video, exactly. Raises QueryError if there is none."""
    (embedded,) = embed_queries([query], lambda: index, model)
    scores = Scores(scan(index, embedded.vector, index.line_of(video_id)))
    every = np.arange(len(scores.line))
    scores.settle(every)
    neutral = Judge.of(model).neutral_for(query)
    sure = _confidence(scores, every, scores.values, neutral)
    return FrameScores(np.array(scores.line.t), scores.values, sure)


# -- scanning


def _parts(
    queries: Sequence[Embedded], index: VectorIndex, line: Timeline
) -> Iterator[Iterable[Scan]]:
    """Yield for each query the scans of all frames of `line`, in the parts they are looked at.

    That is one part, or the videos of a large index that are likely to hold the best moments, and
    then the others. A part is scanned when it is asked for.
    """
    if len(queries) >= _FEW and index.scans(line):
        vectors = np.stack([query.vector for query in queries])
        yield from ([scanned] for scanned in scan_together(index, vectors, line))
    else:
        yield from (_likely_first(query, index, line) for query in queries)


def _likely_first(query: Embedded, index: VectorIndex, line: Timeline) -> Iterator[Scan]:
    near = [query.vector] if query.then is None else [query.vector, query.then]
    likely = index.likely(line, near)
    yield scan(index, query.vector, likely)
    if len(likely) < len(line):
        others = np.ones(len(index.videos), bool)
        others[likely.video] = False
        yield scan(index, query.vector, line.select(others))


class _Followers:
    """The scans for what follows, by `then`: made once for queries of the same frames."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._scans: dict[str, Scan] = {}

    def scan(self, query: Embedded, line: Timeline) -> Scan:
        """Return the scan of the frames of `line` for what the query's `then` says."""
        assert query.then is not None
        assert query.query.then is not None
        known = self._scans.get(query.query.then)
        if known is None or known.line is not line:
            known = scan(self._index, query.then, line)
            self._scans[query.query.then] = known
        return known


# -- pages


class _Found(Protocol):
    """Results, best first."""

    @property
    def scores(self) -> NDArray[np.floating]: ...

    def show(self, part: slice) -> list[Moment] | list[VideoMoments]:
        """Return some of them, for people."""
        ...


def _page(
    query: Embedded,
    judge: Judge,
    parts: Iterable[Scan],
    followers: _Followers,
    floor: float = LOWEST,
) -> Page:
    """Return the page of a query; parts that it does not reach are not looked at."""
    asked = query.query
    shown: list[Any] = []
    start, stop, total, complete = asked.offset, asked.offset + asked.limit, 0, True
    for scanned in parts:
        if stop <= 0:  # an earlier part has filled it
            complete = False
            break
        part = _Part(query, scanned, judge.neutral_for(asked), judge.scale)
        second = None
        if asked.then is not None:
            following = followers.scan(query, scanned.line)
            second = _Part(query, following, judge.neutral, judge.scale)
        found = _best(part, second, stop, floor)
        shown += found.show(slice(max(0, start), stop))
        start, stop = start - len(found.scores), stop - len(found.scores)
        total += _estimate(part, second)
    end = asked.offset + asked.limit
    total = end - stop if stop > 0 else max(total, end)
    if asked.by == "moment":
        return Page(shown, total, asked.offset, complete=complete)
    flat = [moment for video in shown for moment in video.moments]
    return Page(flat, total, asked.offset, shown, complete=complete)


def _best(part: "_Part", second: "_Part | None", count: int, floor: float) -> _Found:
    """Return the first `count` results of a part, and perhaps more."""
    asked = part.query.query
    low, high = part.bounds
    if second is not None:
        high = (high + second.bounds[1]) / 2  # and there may be no pair at all
        return leading(high, high, count, lambda chosen: _pairs(part, second, chosen), floor)
    if asked.by == "moment":
        return leading(low, high, count, lambda chosen: part.moments(chosen, count), floor)
    low, high = rank_bounds(part.scan, asked.rank, part.scale, asked.min_score)
    return leading(low, high, count, lambda chosen: _videos(part, chosen), floor)


def _estimate(part: "_Part", second: "_Part | None") -> int:
    """Estimate how many results there are that may be right, from the approximate scores."""
    spans = part.likely()
    if second is not None:
        others = second.likely()
        return len(moments.followed(spans, others, part.query.query.within)[0])
    return len(spans) if part.query.query.by == "moment" else len(np.unique(spans.video))


@dataclass(frozen=True)
class _Part:
    """A scan of some of the videos for one query, or for what follows."""

    query: Embedded
    scan: Scan
    neutral: Neutral
    scale: float

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bounds of each video's best moment; -inf where none can reach `min_score`."""
        best = self.scan.best.astype(np.float64)
        missing = best + self.scan.slack < self._min_score
        low, high = best - self.scan.slack, best + self.scan.slack
        return np.where(missing, -np.inf, low), np.where(missing, -np.inf, high)

    @property
    def _min_score(self) -> float:
        """What hits have to score; with `then` it is what pairs have to."""
        asked = self.query.query
        return -np.inf if asked.then is not None or asked.min_score is None else asked.min_score

    def moments(self, chosen: NDArray[np.bool_], count: int | None = None) -> "_Moments":
        """Return the exact moments of the chosen videos, best first: at least the first `count`."""
        scores = self.scan.scores(chosen)
        best = scores.settle_best()
        if not self._falls_with_score:
            count = None
        if count is not None and count < len(best):  # others' moments come after these videos' best
            chosen = best >= np.partition(best, -count)[-count]
            scores, best = scores.take(chosen), best[chosen]
        line = scores.line
        cut = np.repeat(moments.cuts(best, self.scale, self._min_score), line.of_videos[1])
        hits = scores.settle_hits(cut, lambda at: moments.runs(line, at), count)
        spans = moments.merge(line, scores.values, hits)
        if count is not None and count < len(spans):
            error = float(scores.slack[hits].max(initial=0))  # of each score
            least = np.partition(spans.score, -count)[-count]
            spans = spans.take(spans.score >= least - 2 * error)
        spans = _settled(scores, hits, spans)
        spans = spans.take(moments.ranked(spans))
        sure = _confidence(scores, spans.best, spans.score, self.neutral)
        found = _Moments(scores, hits, spans, sure)
        if self._min_confidence is None:
            return found
        return found.take(sure >= self._min_confidence)

    @property
    def _min_confidence(self) -> float | None:
        """What moments need; with `then` it is what pairs do."""
        asked = self.query.query
        return None if asked.then is not None else asked.min_confidence

    @property
    def _falls_with_score(self) -> bool:
        """Whether what passes the filters comes before what does not."""
        return self._min_confidence is None or self.neutral.of_images

    def likely(self) -> Spans:
        """Return moments that may be right, by the approximate scores."""
        asked, scan = self.query.query, self.scan
        sure = MAYBE if asked.min_score is None else 0.0
        if asked.min_confidence is not None:
            sure = asked.min_confidence
        cut = max(self._min_score, self._score_of(sure))
        at = np.flatnonzero(scan.values >= cut)
        video = np.searchsorted(scan.line.of_videos[0], at, "right") - 1
        at = at[scan.values[at] >= scan.best[video] - moments.margin(self.scale)]
        return moments.merge(scan.line, scan.values, at)

    def _score_of(self, sure: float) -> float:
        """About which score has this confidence."""
        index, scan = self.scan.index, self.scan
        if self.neutral.of_images:
            against = scan.query[np.newaxis]
        elif len(scan.values):
            count = min(_TYPICAL, len(scan.values))
            top = np.argpartition(scan.values, -count)[-count:]
            rows = index.first_views[scan.line.frame[top]]
            index.check("vectors", rows)
            against = index.vectors[rows].astype(np.float32)
        else:
            return np.inf
        return float(np.median(self.neutral.score_of(sure, against)))


@dataclass(frozen=True)
class _Moments:
    """Moments, best first: `hits` are positions in the timeline of `exact`."""

    exact: Scores
    hits: NDArray[np.int64]
    spans: Spans
    sure: NDArray[np.float64]

    @property
    def scores(self) -> NDArray[np.float32]:
        return self.spans.score

    def take(self, at: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "_Moments":
        """Return some of them."""
        return replace(self, spans=self.spans.take(at), sure=self.sure[at])

    def show(self, part: slice) -> list[Moment]:
        """Return some of them, for people."""
        spans, sure, index = self.spans.take(part), self.sure[part], self.exact.index
        boxes = index.boxes[self.exact.best_views(spans.best)]
        times = self.exact.line.t[spans.best]
        videos = [index.videos[video] for video in spans.video]
        paths = {video.video_id: video.paths for video in videos}  # each is looked at once
        chosen = {video_id: readable_first(own)[0] for video_id, own in paths.items()}
        return [
            Moment(
                path=chosen[video.video_id],
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


@dataclass(frozen=True)
class _Videos:
    """Videos, best first: ordinals of the index, and their scores by the rank."""

    moments: _Moments
    videos: NDArray[np.int64]
    scores: NDArray[np.float64]

    def show(self, part: slice) -> list[VideoMoments]:
        """Return some of them, for people, with all of their moments."""
        shown = []
        for video, score in zip(self.videos[part], self.scores[part], strict=True):
            own = self.moments.take(self.moments.spans.video == video)
            known = self.moments.exact.index.videos[video]
            moments = own.show(slice(None))
            shown.append(
                VideoMoments(readable_first(known.paths)[0], known.video_id, float(score), moments)
            )
        return shown


def _videos(part: _Part, chosen: NDArray[np.bool_]) -> _Videos:
    """Return the chosen videos that have moments, best first by the rank that is asked for."""
    found, asked = part.moments(chosen), part.query.query
    line = found.exact.line
    shown = found.hits[np.isin(line.video[found.hits], found.spans.video)]
    found.exact.settle(shown)  # each hit has a part in the rank
    ranked = rank_videos(line, found.exact.values, shown, asked.rank, part.scale)
    return _Videos(found, *ranked)


@dataclass(frozen=True)
class _Pairs:
    """Moments and those that follow them, best first; `sure` is the lower confidence of both."""

    first: _Moments
    second: _Moments
    scores: NDArray[np.float32]
    sure: NDArray[np.float64]

    def show(self, part: slice) -> list[Moment]:
        """Return some of them, for people."""
        both = zip(self.first.show(part), self.second.show(part), strict=True)
        return [
            replace(
                one,
                score=float(score),
                confidence=float(sure),
                then=Then(other.start, other.end, other.t, other.score, other.confidence),
            )
            for (one, other), score, sure in zip(
                both, self.scores[part], self.sure[part], strict=True
            )
        ]


def _pairs(part: _Part, second: _Part, chosen: NDArray[np.bool_]) -> _Pairs:
    """Return the moments of the chosen videos that are followed, and what follows them."""
    first, other, asked = part.moments(chosen), second.moments(chosen), part.query.query
    first, other = (
        one.take(np.lexsort((one.spans.start, one.spans.video))) for one in (first, other)
    )
    ones, others = moments.followed(first.spans, other.spans, asked.within)
    first, other = first.take(ones), other.take(others)
    sure = np.minimum(first.sure, other.sure)
    scores = (first.scores + other.scores) / np.float32(2)
    order = moments.ranked(replace(first.spans, score=scores))
    order = order[Filters.of(asked).allow(scores[order], sure[order])]
    return _Pairs(first.take(order), other.take(order), scores[order], sure[order])


def _settled(scores: Scores, hits: NDArray[np.int64], spans: Spans) -> Spans:
    """Return these moments with their exact scores and best times."""
    at, owner = spans.hits()
    at = hits[at]
    scores.settle_peaks(at, owner)
    best, score = moments.peaks(scores.values, at, owner)
    return replace(spans, best=best, score=score)


def _confidence(
    scores: Scores, at: NDArray[np.int64], exact: NDArray[np.float32], neutral: Neutral
) -> NDArray[np.float64]:
    """The confidence in frames at these positions of the timeline, whose `exact` scores are known.

    Their best views are read only where confidence looks at them.
    """
    rows = np.empty(0, np.int64) if neutral.of_images else scores.best_views(at)
    views = scores.index.vectors[rows].astype(np.float32)
    return confidence(exact, scores.query, views, neutral)


def _box(row: NDArray[np.float32]) -> Box:
    x, y, width, height = row.tolist()
    return x, y, width, height
