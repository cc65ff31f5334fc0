"""Search: embed queries, scan the index, merge hits into moments, rank them into pages.

All frames are scored approximately, with a proved bound. Only in the videos that a page may show
are frames scored exactly, cut and merged into moments, so that an unrelated video never changes
another's moments, and what no page shows costs nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.index.candidates import choose_candidates, is_scanned_whole
from framefind.index.int8_scan import scan
from framefind.index.scores import Scores
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex
from framefind.models.base import Model
from framefind.models.confidence import Neutral
from framefind.models.neutral import load_neutral
from framefind.search.filters import Filters, names_of
from framefind.search.fusion import find_videos, fuse
from framefind.search.query_vectors import EmbeddedQuery, embed_queries, list_notes
from framefind.search.query_words import WordHits
from framefind.search.ranking import LOWEST
from framefind.search.results import Scored, find_results, judge_frames
from framefind.search.total import estimate_total
from framefind.search.wording import unquote
from framefind.types import SEEN, FrameScores, Page, Query

MAX_BATCH_QUERIES = 256
"""Queries whose pages are made before the first is given."""


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

    All texts are embedded in one call. Queries with the same filters are scanned for together.
    Raises QueryError, before the first page, when one of them is no query or keeps videos by a
    name that no video of the library has.
    """
    return _give_pages(_embed(queries, index, model), index, model)


def search_each(
    queries: Sequence[Query], index: VectorIndex, model: Model
) -> Iterator[Page | QueryError]:
    """Yield the page of each query, in their order, or the error for which `search` refuses it."""
    embedded = _embed_each(queries, index, model)
    good = [query for query in embedded if isinstance(query, EmbeddedQuery)]
    pages = _give_pages(good, index, model)
    for query in embedded:
        yield query if isinstance(query, QueryError) else next(pages)


def _embed(queries: Sequence[Query], index: VectorIndex, model: Model) -> list[EmbeddedQuery]:
    return embed_queries(queries, lambda: index, lambda: names_of(index), lambda: index.text, model)


def _embed_each(
    queries: Sequence[Query], index: VectorIndex, model: Model
) -> list[EmbeddedQuery | QueryError]:
    """Embed queries, in one call where none is refused, else by halves."""
    try:
        return [*_embed(queries, index, model)]
    except QueryError as error:
        if len(queries) == 1:
            return [error]
    half = len(queries) // 2
    parts = (queries[:half], queries[half:])
    return [query for part in parts for query in _embed_each(part, index, model)]


def _give_pages(
    embedded: Sequence[EmbeddedQuery], index: VectorIndex, model: Model
) -> Iterator[Page]:
    judge = Judge.of(model)
    for at in range(0, len(embedded), MAX_BATCH_QUERIES):
        batch = embedded[at : at + MAX_BATCH_QUERIES]
        for query, page in zip(batch, answer(batch, index, judge), strict=True):
            yield replace(page, notes=list_notes(query, model, index.saved_text is not None))


def answer(
    queries: Sequence[EmbeddedQuery],
    index: VectorIndex,
    judge: Judge,
    floors: Sequence[float] | None = None,
) -> list[Page]:
    """Return the pages of embedded queries, in their order.

    Results below a query's floor may be missing, since as many better ones are known elsewhere.
    """
    pages: dict[int, Page] = {}
    for filters, members in _group_by_filters(queries).items():
        group = [queries[at] for at in members]
        for at, scans in zip(members, _scan_parts(index, filters, group), strict=True):
            floor = LOWEST if floors is None else floors[at]
            pages[at] = _fill_page(queries[at], scans, judge, floor)
    return [pages[at] for at in range(len(queries))]


def score_frames(query: Query, video_id: str, index: VectorIndex, model: Model) -> FrameScores:
    """Score every sampled frame of one video, exactly. Raises QueryError if there is none."""
    line = index.line_of(video_id)
    query = replace(query, in_=(SEEN,), text=query.text and unquote(query.text))
    (embedded,) = embed_queries(
        [query], lambda: index, lambda: names_of(index), lambda: None, model
    )
    (scores,) = scan(index, embedded.vector[np.newaxis], line)
    every = np.arange(len(line))
    exact = scores.exact(every)
    neutral = Judge.of(model).neutral_for(query)
    return FrameScores(np.array(line.t), exact, judge_frames(scores, every, exact, neutral))


def _group_by_filters(queries: Sequence[EmbeddedQuery]) -> dict[Filters, list[int]]:
    """Return the ordinals of the queries that search the same frames, by their filters."""
    members: dict[Filters, list[int]] = {}
    for at, query in enumerate(queries):
        members.setdefault(query.filters, []).append(at)
    return members


Part = tuple[Scores, Scores | None]
"""Scores of the same frames for a query and for what follows."""

Scan = Callable[[], Part]
"""Scans the frames of a part when the part is needed."""


def _scan_parts(
    index: VectorIndex, filters: Filters, queries: Sequence[EmbeddedQuery]
) -> Iterator[Sequence[Scan]]:
    """Yield for each query the scans of the frames that pass, in the parts they are searched.

    That is one part; or, in a large index, the videos that are likely to hold the best moments and
    then the others.
    """
    line = filters.select(index)
    if is_scanned_whole(index, line):
        scans = _scan_together(index, line, queries)
        for _ in queries:
            yield [partial(next, scans)]
    else:
        for query in queries:
            yield _scan_likely_first(index, line, query)


def _scan_likely_first(index: VectorIndex, line: Timeline, query: EmbeddedQuery) -> list[Scan]:
    vectors = [query.vector] if query.then is None else [query.vector, query.then]
    likely = choose_candidates(index, line, vectors, query.query.by)
    if words := [hits for hits in (query.words, query.then_words) if hits]:
        likely = line.select(_mask_videos(index, likely, words))

    def scan_others() -> Part:
        others = np.ones(len(index.videos), bool)
        others[likely.video] = False
        return next(_scan_together(index, line.select(others), [query]))

    scan_likely = partial(next, _scan_together(index, likely, [query]))
    return [scan_likely] if len(likely) == len(line) else [scan_likely, scan_others]


def _mask_videos(
    index: VectorIndex, likely: Timeline, words: Sequence[WordHits]
) -> NDArray[np.bool_]:
    """Return a mask of the likely videos and of those with words of a query."""
    mask = np.zeros(len(index.videos), bool)
    mask[likely.video] = True
    for hits in words:
        videos = find_videos(hits, index)
        mask[videos[videos >= 0]] = True
    return mask


def _scan_together(
    index: VectorIndex, line: Timeline, queries: Sequence[EmbeddedQuery]
) -> Iterator[Part]:
    """Yield the scores of the same frames for each query; those for equal `then`s are shared."""
    thens = {query.query.then: query.then for query in queries if query.then is not None}
    scans = scan(index, np.stack([*thens.values(), *(query.vector for query in queries)]), line)
    following = {text: next(scans) for text in thens}
    for query, scores in zip(queries, scans, strict=True):
        yield scores, following.get(query.query.then)


def _add_words(query: EmbeddedQuery, part: Part, judge: Judge) -> tuple[Scored, Scored | None]:
    """Return the scores of a part, raised where words match, with what judges them."""
    scores = [frame_scores for frame_scores in part if frame_scores is not None]
    words = [query.words, query.then_words][: len(scores)]
    neutrals = (judge.neutral_for(query.query), judge.neutral)
    first, *second = (
        Scored(query.query, raised, neutral, judge.scale, placed)
        for (raised, placed), neutral in zip(
            fuse(scores, words, judge.scale), neutrals, strict=False
        )
    )
    return first, second[0] if second else None


def _fill_page(query: EmbeddedQuery, scans: Sequence[Scan], judge: Judge, floor: float) -> Page:
    """Return the page of a query; parts that it does not reach are not scanned."""
    choice = query.query
    results_shown: list[Any] = []  # moments or videos
    start = choice.offset
    stop = choice.offset + choice.limit
    total = 0
    is_complete = True
    for scan_part in scans:
        if stop <= 0:  # an earlier part has filled it
            is_complete = False
            break
        scored, second = _add_words(query, scan_part(), judge)
        results = find_results(scored, second, stop, floor)
        results_shown += results.show(slice(max(0, start), stop))
        start, stop = start - len(results.scores), stop - len(results.scores)
        total += estimate_total(scored, second)
    end = choice.offset + choice.limit
    total = end - stop if stop > 0 else max(total, end)
    if choice.by == "moment":
        return Page(results_shown, total, choice.offset, complete=is_complete)
    moments = [moment for video in results_shown for moment in video.moments]
    return Page(moments, total, choice.offset, results_shown, complete=is_complete)
