import tempfile
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from indexes import Limits, film, page, score, unit, write
from numpy.typing import NDArray

from framefind.index import int8_scan
from framefind.index.bounds import bound_best, bound_softmax, bound_sum, find_possible_hits
from framefind.index.int8_scan import scan
from framefind.index.products import encode, kernel
from framefind.index.scores import Scores
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex
from framefind.models.confidence import Neutral
from framefind.search import moments
from framefind.search.ranking import rank_videos
from framefind.types import RANKS


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[NDArray[np.float32]], list[int], NDArray[np.float32]]:
    """Videos, which of them are dead, and a query: alike and unlike, equal, with outliers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    d = draw(st.sampled_from([3, 17, 64]))
    films = []
    for _ in range(draw(st.integers(1, 8))):
        frames = draw(st.integers(1, 100))
        views = draw(st.integers(1, 4))
        vectors = film(rng, frames, views, d, draw(st.sampled_from([0.0, 0.01, 0.5, 3.0])))
        if draw(st.booleans()):
            vectors = vectors * np.where(np.arange(d) == 0, np.float32(30), np.float32(1))
        films.append(unit(vectors))
    dead = draw(st.lists(st.integers(0, len(films) - 1), max_size=2))
    near = films[0][0, 0] if draw(st.booleans()) else np.zeros(d)
    return films, dead, unit(near + 0.2 * rng.standard_normal(d))


def exact(index: VectorIndex, query: NDArray[np.float32], line: Timeline) -> NDArray[np.float32]:
    views, _ = score(index, query)
    return np.array([views[index.rows(int(frame))].max() for frame in line.frame], np.float32)


def hits_of(
    truth: NDArray[np.float32], line: Timeline, scale: float, min_score: float
) -> NDArray[np.int64]:
    """The frames that reach the cuts of their videos."""
    if not len(line):
        return np.empty(0, np.int64)
    first, counts = line.of_videos
    cut = moments.hit_thresholds(np.maximum.reduceat(truth, first), scale, min_score)
    return np.flatnonzero(truth >= np.repeat(cut, counts))


def score_all(index: VectorIndex, query: NDArray[np.float32], line: Timeline) -> Scores:
    (scores,) = scan(index, query[None], line)
    return scores


def videos_of(line: Timeline) -> NDArray[np.int64]:
    return np.arange(len(line.of_videos[0]))


def best_first(spans: moments.Spans) -> list[tuple[int, float, float]]:
    spans = spans.take(moments.order_moments(spans))
    return list(zip(spans.video.tolist(), spans.start.tolist(), spans.end.tolist(), strict=True))


@given(
    cases(), st.sampled_from([3.0, 23.0, 100.0, 1000.0]), st.just(-np.inf) | st.floats(-100, 100)
)
@settings(max_examples=30, deadline=None)
def test_decisions_are_those_of_the_exact_product(case, scale, least):
    films, dead, query = case
    with tempfile.TemporaryDirectory() as folder:
        index = write(Path(folder), films, dead)
        line = index.timeline
        truth = exact(index, query, line)
        scores = score_all(index, query, line)
        assert (np.abs(scores.values.astype(np.float64) - truth) <= scores.slack).all()
        every = videos_of(line)
        cut = moments.hit_thresholds(scores.top(every)[1], scale, least)
        assert (np.abs(scores.values.astype(np.float64) - truth) <= scores.slack).all()
        hits = hits_of(truth, line, scale, least)
        few = copy(scores)
        for name in ("values", "slack", "_views"):
            setattr(few, name, getattr(scores, name).copy())
        found = scores.hits(every, cut)
        np.testing.assert_array_equal(found, hits)
        assert (np.abs(scores.values.astype(np.float64) - truth) <= scores.slack).all()
        near = moments.near_thresholds(scores.top(every)[1], scale)
        leading, is_hit = few.near_hits(every, near, cut, 3, lambda at: moments.find_runs(line, at))
        leading = moments.keep_parts(line, leading, is_hit)
        near_truth = truth >= np.repeat(near, line.of_videos[1])
        hit_truth = np.isin(np.flatnonzero(near_truth), hits)
        every_near = moments.keep_parts(line, np.flatnonzero(near_truth), hit_truth)
        every_moment = best_first(moments.merge(line, truth, every_near))
        assert best_first(moments.merge(line, truth, leading))[:3] == every_moment[:3]
        np.testing.assert_array_equal(scores.exact(hits), truth[hits])
        views, _ = score(index, query)
        best = [rows.start + views[rows].argmax() for rows in map(index.rows, line.frame[hits])]
        assert scores.best_views(hits).tolist() == best


@given(cases(), st.data())
@settings(max_examples=20, deadline=None)
def test_of_some_frames_they_are_those_of_all(case, data):
    films, dead, query = case
    with tempfile.TemporaryDirectory() as folder:
        index = write(Path(folder), films, dead)
        line = index.timeline
        kept = data.draw(
            st.lists(st.booleans(), min_size=len(index.videos), max_size=len(index.videos))
        )
        start, end = data.draw(st.none() | st.floats(0, 9)), data.draw(st.none() | st.floats(5, 99))
        some = line.select(np.array(kept, bool), start, end)
        keep = np.isin(line.video, np.flatnonzero(kept))
        keep &= line.until > (-1 if start is None else start)
        keep &= line.since <= (np.inf if end is None else end)
        for name, column in vars(some).items():
            np.testing.assert_array_equal(column, getattr(line, name)[keep])
        scores = score_all(index, query, some)
        whole = score_all(index, query, line)
        np.testing.assert_array_equal(scores.values, whole.values[keep])
        np.testing.assert_array_equal(scores.slack, whole.slack[keep])


@pytest.mark.skipif(kernel() is None, reason="no fast kernel")
def test_little_is_settled_and_the_bound_is_tight(tmp_path):
    rng = np.random.default_rng(1)
    index = write(tmp_path, [film(rng, 500, 4, 256, 1.0) for _ in range(8)])
    scores = score_all(index, unit(rng.standard_normal(256)), index.timeline)
    assert scores.slack.max() < 2
    every = videos_of(scores.line)
    scores.hits(every, moments.hit_thresholds(scores.top(every)[1], 23))
    assert 0 < (scores.slack == 0).mean() < 0.2


def test_without_a_kernel_all_scores_are_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(int8_scan, "kernel", lambda: None)
    rng = np.random.default_rng(1)
    index = write(tmp_path, [film(rng, 50, 3, 16, 1.0) for _ in range(3)])
    query = unit(rng.standard_normal(16))
    scores = score_all(index, query, index.timeline)
    assert (scores.slack == 0).all()
    np.testing.assert_array_equal(scores.values, exact(index, query, index.timeline))


@pytest.mark.parametrize("d", [1, 8, 512, 1536])
def test_codes_restore_vectors_within_their_errors(d):
    rng = np.random.default_rng(d)
    vectors = unit(rng.standard_normal((50, d)) * rng.exponential(size=d))
    codes, scales, lengths, errors = encode(vectors)
    assert codes.dtype == np.int8
    assert np.abs(codes.astype(int)).max() == 127
    restored = codes * scales[:, None]
    assert (np.linalg.norm(restored, axis=1) <= lengths).all()
    assert (np.linalg.norm(vectors - restored, axis=1) <= errors).all()
    assert (errors < 0.05).all()


@pytest.mark.parametrize("by", ["moment", "video"])
@pytest.mark.parametrize(
    "filters", [Limits(), Limits(min_score=1.0), Limits(min_confidence=0.1)], ids=str
)
@given(
    cases(),
    st.sampled_from([3.0, 23.0, 300.0]),
    st.integers(1, 9),
    st.integers(0, 9),
    st.sampled_from(RANKS),
)
@settings(max_examples=8, deadline=None)
def test_pages_are_those_of_the_exact_product(by, filters, case, scale, limit, offset, rank):
    films, dead, query = case
    d = len(query)
    neutral = Neutral(True, np.zeros(d, np.float32), np.eye(d, dtype=np.float32)[:2])
    choice = {"limit": limit, "offset": offset, "by": by, "rank": rank}
    with tempfile.TemporaryDirectory() as folder:
        index = write(Path(folder), films, dead)
        scanned = page(index, scale, neutral, query, filters, **choice)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(int8_scan, "kernel", lambda: None)
            whole = page(index, scale, neutral, query, filters, **choice)
    assert scanned.moments == whole.moments
    assert scanned.videos == whole.videos


@given(
    cases(),
    st.sampled_from([3.0, 23.0, 100.0, 1000.0]),
    st.sampled_from(RANKS),
    st.none() | st.floats(-100, 100),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_bounds_hold_what_they_bound(case, scale, rank, least, several):
    """Scores of frames, and of videos by each rank; scanned alone, or together with others."""
    films, dead, query = case
    with tempfile.TemporaryDirectory() as folder:
        index = write(Path(folder), films, dead)
        line = index.timeline
        truth = exact(index, query, line)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(int8_scan, "MAX_CODED_QUERIES", 0 if several else 1)
            found = score_all(index, query, line)
        first, counts = line.of_videos
        slack = np.repeat(found.video_slack, counts)
        assert (np.abs(found.values - truth.astype("f8")) <= slack).all()
        min_score = -np.inf if least is None else least
        hits = hits_of(truth, line, scale, min_score)
        videos, scores = rank_videos(line, truth, hits, rank, scale)
        at = np.searchsorted(line.video[first], videos)
        rounding = 1e-9 * np.abs(scores)
        for refined in (False, True):
            possible = find_possible_hits(found, videos_of(line), moments.margin(scale), min_score)
            assert np.isin(hits, possible.at).all()
            assert np.isin(possible.at[possible.certain], hits).all()
            assert (possible.low <= truth[possible.at]).all()
            assert (truth[possible.at] <= possible.high).all()
            low, high = bound_best(found, min_score)
            if rank != "max" and len(possible.at):
                closer = (
                    bound_sum(possible) if rank == "sum" else bound_softmax(possible, 100 / scale)
                )
                high[possible.videos] = closer
            best = np.maximum.reduceat(truth, first)[at] if len(first) else scores
            assert (low[at] <= best + rounding).all()
            assert (scores <= high[at] + rounding).all()
            if not refined:
                found.refine(np.arange(len(line)))
        without = np.delete(np.arange(len(first)), at)
        assert (low[without] <= (np.inf if least is None else least)).all()
