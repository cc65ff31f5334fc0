"""Answers: a page for each of one or many queries, by as few passes over the index as will do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from framefind import models
from framefind.filters import Filters
from framefind.moments import Page
from framefind.queries import Query, vectors
from framefind.search import Search, sureness
from framefind.vectors import Scores, VectorIndex, together

_AT_A_TIME = 256  # queries whose pages are made before the first is given
_FEW = 16  # queries that are answered sooner one by one: 8-bit scans read less than a product

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class FrameScores:
    """How well each sampled frame of a video answers a query; arrays of equal length.

    `times` (float64) are seconds, `scores` (float32) cosine × 100 of the frame's best view,
    `confidences` (float64) 0 to 1, as a moment with that best frame has them.
    """

    times: NDArray[np.float64]
    scores: NDArray[np.float32]
    confidences: NDArray[np.float64]


def answers(queries: Sequence[Query], index: VectorIndex, model: models.Model) -> Iterator[Page]:
    """The pages of queries, in their order; each is the one that its query gets alone.

    All texts are embedded in one call. Queries with the same filters are scored together, by one
    matrix product over the frames that those keep. Raises QueryError, before the first page, when
    one of them is no query.
    """
    wanted, thens = vectors(queries, lambda: index, model)
    for start in range(0, len(queries), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        yield from _pages(queries[part], wanted[part], thens, index, model)


def frame_scores(
    query: Query, video_id: str, index: VectorIndex, model: models.Model
) -> FrameScores:
    """Score every sampled frame of one video, exactly. Raises QueryError if there is none."""
    (vector,), _ = vectors([query], lambda: index, model)
    scores = Scores(index, vector, index.line_of(video_id))
    every = np.arange(len(scores.line))
    scores.settle(every)
    neutral = models.neutral(model, query.pictured)
    sure = sureness(index, vector, scores, every, scores.values, neutral)
    return FrameScores(np.array(scores.line.t), scores.values, sure)


def _pages(
    queries: Sequence[Query],
    wanted: Vector,
    thens: dict[str, Vector],
    index: VectorIndex,
    model: models.Model,
) -> list[Page]:
    pages: dict[int, Page] = {}
    for filters, members in alike(queries).items():
        one_by_one = Pages(index, model, filters, thens)
        shared = _shared(index, filters, wanted[members])
        for at, scores in zip(members, shared, strict=True):
            pages[at] = one_by_one.page(queries[at], wanted[at], scores)
    return [pages[at] for at in range(len(queries))]


def alike(queries: Sequence[Query]) -> dict[Filters, list[int]]:
    """Which queries let the same frames be found, and by what filters."""
    members: dict[Filters, list[int]] = {}
    for at, query in enumerate(queries):
        alone = replace(query.filters, min_score=None, min_confidence=None)
        members.setdefault(alone, []).append(at)
    return members


def _shared(index: VectorIndex, filters: Filters, wanted: Vector) -> Iterator[Scores | None]:
    """The scores of queries with the same filters; None where a query is better scored alone."""
    line = filters.select(index) if len(wanted) >= _FEW else None
    if line is None or not index.scans(line):
        yield from [None] * len(wanted)
    else:
        yield from together(index, wanted, line)


class Pages:
    """Makes pages of queries with the same filters; what `then` asks for is searched once."""

    def __init__(
        self, index: VectorIndex, model: models.Model, alone: Filters, thens: dict[str, Vector]
    ) -> None:
        self._index, self._model, self._alone, self._thens = index, model, alone, thens
        self._last: tuple[str, Search] | None = None

    def page(self, query: Query, vector: Vector, scores: Scores | None) -> Page:
        """The page of a query with that vector, of its `scores` where they are known."""
        limit, offset, filters = query.limit, query.offset, query.filters
        near = [vector] if query.then is None else [vector, self._thens[query.then]]
        searched = filters if query.then is None else self._alone
        search = Search(self._index, self._model, vector, searched, near, query.pictured, scores)
        if query.then is None:
            return search.page(limit, offset, query.by, query.rank)
        second = self._second(query.then, near, search.complete)
        return search.sequences(second, query.within, limit, offset, filters)

    def _second(self, then: str, near: Sequence[Vector], complete: bool) -> Search:
        """The search for what follows, in the same videos as the one for what comes first."""
        last = self._last
        if last is None or last[0] != then or not (complete and last[1].complete):
            vector = self._thens[then]
            self._last = last = then, Search(self._index, self._model, vector, self._alone, near)
        return last[1]
