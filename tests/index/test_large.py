"""Searches of a large index, by its lists, beside the plainest code that gives all the answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from indexes import Limits, Vectors, film, page, unit, write

from framefind.index import candidates, int8_scan, ivf
from framefind.index.vectors import VectorIndex
from framefind.models.confidence import Neutral, confidence
from framefind.search import search as search_module
from framefind.types import Moment, Page

pytest.importorskip("faiss")
D = 24
SCALE = 23.0
NEUTRAL = Neutral(True, np.zeros(D, np.float32), np.eye(D, dtype=np.float32)[:9] / 5, 1.5, 2.0)
ALL = 10_000
Found = tuple[str, float, float, float, float]  # video, start, end, t, score


@dataclass
class Large:
    """One index with lists, one more with an unrelated video, and what they were made of."""

    films: list[Vectors]
    index: VectorIndex
    more: VectorIndex


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    """A search that is not of a small part of it looks into about four videos of forty first."""
    rng = np.random.default_rng(0)
    kinds = [(int(rng.integers(1, 45)), int(rng.integers(1, 4))) for _ in range(41)]
    films = [film(rng, frames, views, D, 0.7) for frames, views in kinds]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ivf, "MAX_SCANNED_VECTORS", 100)
        patch.setattr(candidates, "MAX_CANDIDATE_FRAMES", 60)
        patch.setattr(candidates, "NEAREST_VIEWS", 100)
        patch.setattr(ivf, "start", lambda index: None)
        made = []
        for name, some in (("index", films[:40]), ("more", films)):
            index = write(tmp_path_factory.mktemp(name), some, has_cuts=False)
            ivf.build(index)
            made.append(index)
        yield Large(films[:40], *made)


def spans(scores: list[float], times: list[int]) -> Iterator[list[int]]:
    """The hits among frames a second apart, in moments: which of them."""
    cut = max(scores, default=0.0) - 100 * np.log(8) / SCALE
    run: list[int] = []
    for at, (score, t) in enumerate(zip(scores, times, strict=True)):
        if score >= cut:
            if run and (t - times[run[-1]] > 2 or t + 1 - times[run[0]] > 30):
                yield run
                run = []
            run.append(at)
    if run:
        yield run


def brute_force(films: list[Vectors], query: Vectors, filters: Limits) -> list[Found]:
    """All moments, in order."""
    found = []
    for at, vectors in enumerate(films):
        name = f"/{at:04}.mp4"
        if filters.videos and name not in filters.videos:
            continue
        low = -1 if filters.start is None else filters.start
        high = np.inf if filters.end is None else filters.end
        times = [t for t in range(len(vectors)) if t + 1 > low and t <= high]
        every = np.einsum("ij,j->i", vectors.reshape(-1, D), query) * np.float32(100)
        best = every.reshape(vectors.shape[:2]).max(axis=1)
        if filters.min_score is not None:
            times = [t for t in times if best[t] >= filters.min_score]
        scores = [float(best[t]) for t in times]
        for run in spans(scores, times):
            top = max(run, key=lambda hit: scores[hit])
            start, end = float(times[run[0]]), times[run[-1]] + 1.0
            found.append((name, start, end, float(times[top]), scores[top]))
    if filters.min_confidence is not None:
        score = np.array([row[4] for row in found], np.float32)
        sure = confidence(score, query, np.empty((0, D), np.float32), NEUTRAL)
        keep = sure >= filters.min_confidence
        found = [row for row, kept in zip(found, keep, strict=True) if kept]
    return sorted(found, key=lambda row: (-row[4], row[0], row[1]))


def rows(found: list[Moment]) -> list[Found]:
    return [(one.path, one.start, one.end, one.t, one.score) for one in found]


def search(index: VectorIndex, query: Vectors, filters: Limits, **choice: Any) -> Page:
    return page(index, SCALE, NEUTRAL, query, filters, **choice)


@st.composite
def queries(draw: st.DrawFn) -> Vectors:
    """Like a frame, like a video as a whole, or like nothing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(unit(rng.standard_normal(D)), np.float32)


@st.composite
def filters(draw: st.DrawFn) -> Limits:
    """None at all, or some of each kind; few videos or many, a short time or a long one."""
    kept = draw(st.sampled_from([0.0, 0.02, 0.3, 0.9]))
    chosen = np.random.default_rng(draw(st.integers(0, 99))).random(40) < kept
    start = draw(st.none() | st.integers(0, 30).map(float))
    length = draw(st.none() | st.integers(0, 40).map(float))
    return Limits(
        [f"/{at:04}.mp4" for at in np.flatnonzero(chosen)],
        start,
        None if length is None else (start or 0.0) + length,
        min_score=draw(st.none() | st.floats(-30, 60)),
        min_confidence=draw(st.none() | st.floats(0, 1)),
    )


def test_likely_videos_alone_answer(large):
    """Otherwise the tests here are of nothing."""
    assert not search(large.index, unit(np.ones(D)), Limits(), limit=3).complete
    assert (
        len(candidates.choose_candidates(large.index, large.index.timeline, [unit(np.ones(D))]))
        < 150
    )


def test_a_page_that_likely_videos_fill_scans_no_others(large, monkeypatch):
    scanned = []

    def count(index, rows, line):
        scanned.append(len(line))
        return int8_scan.scan(index, rows, line)

    monkeypatch.setattr(search_module, "scan", count)
    assert len(search(large.index, unit(np.ones(D)), Limits(), limit=3).moments) == 3
    assert len(scanned) == 1
    assert scanned[0] < len(large.index.timeline) / 2
    scanned.clear()
    search(large.index, unit(np.ones(D)), Limits(), limit=ALL)
    assert sum(scanned) == len(large.index.timeline)


def test_a_long_video_near_the_query_does_not_hide_all_others(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    films = [film(rng, 200, 1, D, 0.3), *(film(rng, 6, 1, D, 0.3) for _ in range(60))]
    monkeypatch.setattr(ivf, "MAX_SCANNED_VECTORS", 100)
    monkeypatch.setattr(candidates, "MAX_CANDIDATE_FRAMES", 250)
    monkeypatch.setattr(candidates, "NEAREST_VIEWS", 50)
    monkeypatch.setattr(ivf, "start", lambda index: None)
    index = write(tmp_path, films, has_cuts=False)
    ivf.build(index)
    query = films[0][17, 0]  # the fifty nearest views are all of this video
    found = search(index, query, Limits(), limit=6)
    assert rows(found.moments) == brute_force(films, query, Limits())[:6]
    assert len({moment.path for moment in found.moments}) > 1


@given(queries(), filters(), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_pages_are_filled_fit_together_and_hold_everything_once(large, query, filters, limit):
    truth = brute_force(large.films, query, filters)
    found: list[Found] = []
    whole = None
    for offset in range(0, len(truth) + limit, limit):
        page = search(large.index, query, filters, limit=limit, offset=offset)
        assert len(page) == min(limit, max(0, len(truth) - offset))
        found += rows(page.moments)
        if page.complete and whole is None:
            whole = len(found) - len(page)
    assert sorted(found) == sorted(truth)
    # The likely videos' moments come first, then the others'; either part is in order.
    place = {row: at for at, row in enumerate(truth)}
    order = [place[row] for row in found]
    assert sum(a > b for a, b in pairwise(order)) <= 1


@given(queries(), filters(), st.integers(1, 12), st.sampled_from(["max", "sum", "softmax"]))
@settings(max_examples=40, deadline=None)
def test_videos_are_filled_and_fit_together(large, query, filters, limit, rank):
    truth = brute_force(large.films, query, filters)
    names = {row[0] for row in truth}
    found = []
    for offset in range(0, len(names) + limit, limit):
        page = search(
            large.index, query, filters, limit=limit, offset=offset, by="video", rank=rank
        )
        assert page.videos is not None
        assert len(page.videos) == min(limit, max(0, len(names) - offset))
        for video in page.videos:
            assert rows(video.moments) == [row for row in truth if row[0] == video.path]
        found += [video.path for video in page.videos]
    assert sorted(found) == sorted(names)


@given(queries(), queries(), filters(), st.integers(1, 12), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_sequences_are_filled_and_fit_together(large, one, other, filters, limit, within):
    def pairs(limit: int, offset: int) -> Page:
        choice = {"within": within, "limit": limit, "offset": offset}
        return search(large.index, one, filters, then=other, **choice)

    alone = Limits(filters.videos, filters.start, filters.end)
    followers = brute_force(large.films, other, alone)
    expected = {}
    for row in brute_force(large.films, one, alone):
        fits = [
            (-b[4], b[1], b)
            for b in followers
            if b[0] == row[0] and b[1] > row[1] and b[2] > row[2] and b[1] <= row[2] + within
        ]
        if fits:
            expected[row] = min(fits)[2]
    whole = pairs(ALL, 0)
    assert whole.complete
    scores = [moment.score for moment in whole]
    least = -np.inf if filters.min_score is None else filters.min_score
    surest = 0.0 if filters.min_confidence is None else filters.min_confidence
    wanted = {(row[:4], then[3]): (row[4] + then[4]) / 2 for row, then in expected.items()}
    found = {(rows([one])[0][:4], one.then.t): one for one in whole}  # type: ignore[union-attr]
    assert found.keys() <= wanted.keys()
    for pair, moment in found.items():
        assert moment.score == pytest.approx(wanted[pair], abs=1e-4)
        assert moment.score >= least
        assert moment.confidence >= surest
    if filters.min_confidence is None:
        missing = [wanted[pair] for pair in wanted.keys() - found.keys()]
        assert all(score <= least + 1e-4 for score in missing)
    paged = [one for at in range(0, len(scores) + limit, limit) for one in pairs(limit, at)]
    assert paged == whole.moments


@given(queries(), filters())
@settings(max_examples=40, deadline=None)
def test_an_unrelated_video_changes_no_others_moments(large, query, filters):
    """Among the likely videos that both searches found, not only when everything is scored."""
    both = [search(index, query, filters, limit=5) for index in (large.index, large.more)]
    shared = {moment.path for moment in both[0]} & {moment.path for moment in both[1]}
    everything = [search(index, query, filters, limit=ALL) for index in (large.index, large.more)]
    for found in (*both, *everything):
        for moment in found:
            assert moment.path not in shared or moment in everything[0].moments
    others = [[one for one in found if one.path != "/0040.mp4"] for found in everything]
    by_place = [sorted(found, key=lambda one: (one.path, one.start)) for found in others]
    assert by_place[0] == by_place[1]
