from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.index.timeline import Timeline
from framefind.search.moments import (
    Spans,
    hit_thresholds,
    keep_parts,
    merge,
    near_thresholds,
    order_moments,
)
from framefind.search.ranking import rank_videos
from framefind.types import RANKS, Page, Query

Frame = tuple[float, float]  # t and score
SCALE = 23.0
LONGEST = 30.0


@st.composite
def frames(draw: st.DrawFn) -> list[Frame]:
    """A video's sampled frames, some close together, some far apart, with equal scores too."""
    gaps = draw(
        st.lists(st.sampled_from([0.04, 0.5, 1.0, 1.9, 2.0, 2.1, 7.3, 45.0]) | st.floats(0.01, 60))
    )
    times = np.cumsum([draw(st.sampled_from([0.0, 0.1, 3.0])), *gaps]).tolist()
    score = st.integers(0, 40).map(float) | st.floats(-100, 100, width=32)
    return [(t, draw(score)) for t in times]


videos = st.lists(frames(), max_size=5)


def hits(
    timeline: Timeline, scores: NDArray[np.float32], scale: float, min_score: float = -np.inf
) -> NDArray[np.int64]:
    """The frames that reach the cuts of their videos."""
    if not len(scores):
        return np.empty(0, np.int64)
    first, counts = timeline.of_videos
    cut = hit_thresholds(np.maximum.reduceat(scores, first), scale, min_score)
    return np.flatnonzero(scores >= np.repeat(cut, counts))


def line(videos: list[list[Frame]]) -> tuple[Timeline, NDArray[np.float32]]:
    """A timeline and its scores; the last frame of a video stands for a second."""
    t = np.array([t for video in videos for t, _ in video], np.float64)
    until = []
    interval = []
    for video in videos:
        times = [t for t, _ in video]
        until += [*times[1:], times[-1] + 1]
        mean = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
        interval += [mean] * len(times)
    owner = np.repeat(np.arange(len(videos)), [len(video) for video in videos]).astype(np.int64)
    frame = np.arange(len(t), dtype=np.int64)
    scores = np.array([score for video in videos for _, score in video], np.float32)
    shot = frame - np.searchsorted(owner, owner)
    columns = (t, np.array(until, float), np.array(interval, float), t, shot)
    return Timeline(frame, owner, *columns), scores


def rows(spans: Spans) -> list[tuple[int, float, float, int, float]]:
    columns = (spans.video, spans.start, spans.end, spans.best, spans.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def found(videos: list[list[Frame]], min_score: float = -np.inf) -> Spans:
    timeline, scores = line(videos)
    return merge(timeline, scores, hits(timeline, scores, SCALE, min_score))


class TestHits:
    @given(videos, st.just(-np.inf) | st.floats(-100, 100))
    def test_a_hit_reaches_the_score_and_is_not_much_worse_than_its_videos_best(
        self, videos, min_score
    ):
        timeline, scores = line(videos)
        hit = set(hits(timeline, scores, SCALE, min_score).tolist())
        for at, score in enumerate(scores.tolist()):
            best = max(scores[timeline.video == timeline.video[at]].tolist())
            if at in hit:
                assert score >= min_score
                assert score > best - 100 * np.log(16) / SCALE
            elif score == best:
                assert score < min_score

    @given(videos, st.data())
    def test_the_score_that_is_shown_is_enough_and_the_next_one_is_too_much(self, videos, data):
        timeline, scores = line([*videos, [(0.0, 12.5)]])
        shown = data.draw(st.sampled_from(scores[hits(timeline, scores, SCALE)]))
        again = scores[hits(timeline, scores, SCALE, float(shown))]
        assert shown in again
        above = float(np.nextafter(float(shown), np.inf))
        assert shown not in scores[hits(timeline, scores, SCALE, above)]

    @given(videos, st.data())
    def test_a_filter_is_as_if_the_other_frames_were_not_there(self, videos, data):
        timeline, scores = line(videos)
        keep = data.draw(hnp.arrays(bool, len(scores)))
        few = [np.flatnonzero(keep & (timeline.video == at)) for at in range(len(videos))]
        alone = [
            one[hits(line([[(0.0, 0.0)] * len(one)])[0], scores[one], SCALE)]
            for one in few
            if len(one)
        ]
        expected = np.concatenate(alone) if alone else []
        kept = np.flatnonzero(keep)
        some = hits(timeline.take(kept), scores[kept], SCALE)
        np.testing.assert_array_equal(kept[some], expected)


class TestMerge:
    @given(videos)
    def test_every_hit_lies_in_exactly_one_moment(self, videos):
        timeline, scores = line(videos)
        hit = hits(timeline, scores, SCALE)
        spans = merge(timeline, scores, hit)
        for at in hit:
            within = (
                (spans.video == timeline.video[at])
                & (spans.start <= timeline.t[at])
                & (timeline.until[at] <= spans.end)
            )
            assert within.sum() == 1
        assert set(spans.best.tolist()) <= set(hit.tolist())
        assert np.isin(spans.start, timeline.t[hit]).all()
        assert np.isin(spans.end, timeline.until[hit]).all()

    @given(videos)
    def test_moments_of_a_video_do_not_overlap(self, videos):
        spans = found(videos)
        same = np.diff(spans.video) == 0
        assert (np.diff(spans.video) >= 0).all()
        assert (spans.end[:-1][same] <= spans.start[1:][same]).all()
        assert (spans.start < spans.end).all()

    @given(videos)
    def test_a_moment_is_bounded_unless_it_is_a_single_frame(self, videos):
        timeline, scores = line(videos)
        hit = hits(timeline, scores, SCALE)
        for video, start, end, _, _ in rows(merge(timeline, scores, hit)):
            of_it = (timeline.video[hit] == video) & (timeline.t[hit] >= start)
            inside = of_it & (timeline.until[hit] <= end)
            assert end - start <= LONGEST * (1 + 1e-12) or inside.sum() == 1

    @given(videos)
    def test_a_moment_has_its_best_hits_score_and_the_earliest_of_equals(self, videos):
        timeline, scores = line(videos)
        hit = hits(timeline, scores, SCALE)
        for video, start, end, best, score in rows(merge(timeline, scores, hit)):
            inside = [
                at for at in hit if timeline.video[at] == video and start <= timeline.t[at] < end
            ]
            assert score == max(scores[inside])
            assert best == next(at for at in inside if scores[at] == score)

    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            ([0, 1, 2, 3], [(0, 4)]),
            ([0, 2, 4], [(0, 5)]),
            ([0, 1, 4, 5], [(0, 2), (4, 6)]),
        ],
    )
    def test_neighbours_join(self, times, expected):
        every = [(float(t), 50.0 if t in times else -50.0) for t in range(times[-1] + 1)]
        spans = found([every])
        assert list(zip(spans.start, spans.end, strict=True)) == expected

    def test_hits_join_within_twice_a_long_interval(self):
        near = [(10.0 * at, 50.0 if at in (0, 2) else -50.0) for at in range(3)]
        assert len(found([near])) == 1
        far = [(10.0 * at, 50.0 if at in (0, 3) else -50.0) for at in range(4)]
        assert len(found([far])) == 2

    def test_a_long_run_is_split_evenly_at_the_bound(self):
        spans = found([[(float(t), 20.0) for t in range(75)]])
        assert list(zip(spans.start, spans.end, strict=True)) == [(0, 30), (30, 60), (60, 75)]

    @given(videos, frames(), st.integers(0, 5))
    def test_an_unrelated_video_changes_no_other(self, videos, other, at):
        at = min(at, len(videos))
        position = sum(map(len, videos[:at]))
        shift = len(other)
        expected = [
            (video + (video >= at), start, end, best + shift * (best >= position), score)
            for video, start, end, best, score in rows(found(videos))
        ]
        mixed = rows(found([*videos[:at], other, *videos[at:]]))
        assert [row for row in mixed if row[0] != at] == expected

    @given(videos, st.floats(-100, 100, width=32))
    def test_no_moment_is_below_the_score(self, videos, min_score):
        assert (found(videos, min_score).score >= min_score).all()


class TestShots:
    """One video, a frame a second."""

    HIT, NEAR, FAR = 50.0, 38.0, 0.0

    def moments(
        self, scores: list[float], cuts_of: list[float] | None
    ) -> list[tuple[float, float]]:
        owner = np.zeros(len(scores), np.int64)
        t = np.arange(len(scores), dtype=np.float64)
        timeline = Timeline.build(owner, t, [float(len(scores))], [cuts_of])
        best = np.array([max(scores)], np.float32)
        values = np.array(scores, np.float32)
        near = np.flatnonzero(values >= near_thresholds(best, SCALE))
        kept = keep_parts(timeline, near, values[near] >= hit_thresholds(best, SCALE))
        spans = merge(timeline, values, kept)
        return list(zip(spans.start.tolist(), spans.end.tolist(), strict=True))

    def test_a_hit_takes_what_is_near_in_its_shot(self):
        scores = [self.NEAR] * 4 + [self.HIT] + [self.NEAR] * 3 + [self.FAR] * 2
        assert self.moments(scores, []) == [(0, 8)]
        assert self.moments(scores, [1.3, 6.8]) == [(1.3, 6.8)]
        assert self.moments(scores, None) == [(4, 5)]

    def test_a_cut_is_passed_where_hits_are_on_both_sides(self):
        scores = [self.NEAR, self.HIT, self.NEAR, self.NEAR, self.HIT, self.NEAR]
        assert self.moments(scores, [2.5]) == [(0, 6)]
        assert self.moments(scores, [2.5, 4.5]) == [(0, 4.5)]

    def test_a_long_run_is_split_at_a_cut(self):
        assert self.moments([self.HIT] * 50, [19.5]) == [(0, 19.5), (19.5, 49), (49, 50)]

    @given(
        st.lists(st.sampled_from([HIT, NEAR, FAR, 47.0, 41.0]), min_size=1, max_size=25),
        st.lists(st.floats(0.01, 25), max_size=6).map(sorted),
    )
    def test_each_hit_is_in_one_moment_and_its_ends_lie_in_shots_with_hits(self, scores, cuts_of):
        spans = self.moments(scores, cuts_of)
        cut = max(scores) - 100 * np.log(8) / SCALE
        hit = [t for t, score in enumerate(scores) if score >= cut]
        assert [sum(start <= t < end for start, end in spans) for t in hit] == [1] * len(hit)
        for start, end in spans:
            inside = [t for t in range(len(scores)) if start <= t < end]
            shots = [bisect_right(cuts_of, t) for t in inside]
            of_hits = {shot for t, shot in zip(inside, shots, strict=True) if t in hit}
            assert {shots[0], shots[-1]} <= of_hits


class TestOrder:
    @given(videos)
    def test_total_and_stable(self, videos):
        spans = found(videos)
        ordered = rows(spans.take(order_moments(spans)))
        keys = [(-score, video, start) for video, start, _, _, score in ordered]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)
        assert sorted(ordered) == sorted(rows(spans))

    @given(videos, st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_before(self, videos, random):
        spans = found(videos)
        shuffled = list(range(len(spans)))
        random.shuffle(shuffled)
        mixed = spans.take(np.array(shuffled, np.int64))
        assert rows(mixed.take(order_moments(mixed))) == rows(spans.take(order_moments(spans)))


class TestRankVideos:
    @given(videos, st.sampled_from(RANKS))
    def test_every_video_with_a_hit_once_best_first(self, videos, rank):
        timeline, scores = line(videos)
        hit = hits(timeline, scores, SCALE)
        ids, totals = rank_videos(timeline, scores, hit, rank, SCALE)
        assert sorted(ids.tolist()) == sorted(set(timeline.video[hit].tolist()))
        assert (np.diff(totals) <= 0).all()

    @given(frames().filter(bool))
    def test_max_sum_and_softmax(self, video):
        timeline, scores = line([video])
        hit = hits(timeline, scores, SCALE)
        own = scores[hit].astype(float)

        def total(rank: str) -> float:
            return float(rank_videos(timeline, scores, hit, rank, SCALE)[1][0])

        assert total("max") == own.max()
        assert total("sum") == pytest.approx(own.sum(), abs=1e-6)
        weights = np.exp((own - own.max()) * SCALE / 100)
        expected = (own * weights).sum() / weights.sum()
        assert total("softmax") == pytest.approx(expected, abs=1e-6)

    @given(st.floats(-100, 100, width=32), st.integers(1, 50))
    def test_by_softmax_length_does_not_win(self, score, copies):
        timeline, scores = line([[(float(t), score) for t in range(copies)], [(0.0, score)]])
        hit = hits(timeline, scores, SCALE)
        _, totals = rank_videos(timeline, scores, hit, "softmax", SCALE)
        assert totals[0] == pytest.approx(totals[1])

    @given(videos, frames(), st.sampled_from(RANKS))
    def test_an_unrelated_video_changes_no_other(self, videos, other, rank):
        def totals(videos: list[list[Frame]]) -> dict[int, float]:
            timeline, scores = line(videos)
            hit = hits(timeline, scores, SCALE)
            ids, values = rank_videos(timeline, scores, hit, rank, SCALE)
            return dict(zip(ids.tolist(), values.tolist(), strict=True))

        more = totals([*videos, other])
        more.pop(len(videos), None)
        assert more == totals(videos)

    def test_another_rank_is_refused(self):
        with pytest.raises(QueryError, match="mean"):
            Query("a dog", rank="mean").check()


def test_a_page_is_a_sequence_of_its_moments():
    page = Page([], total=3, offset=2)
    assert len(page) == 0
    assert list(page) == []
