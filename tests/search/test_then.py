"""Sequences: moments that are followed by others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind import Library, QueryError
from framefind.search.moments import Spans, find_followers


def spans(rows: list[tuple[int, float, float, float]]) -> Spans:
    """Spans of (video, start, length, score) whose best frame is their first."""
    rows = sorted(rows)
    video, start, length, score = (np.array([row[at] for row in rows]) for at in range(4))
    best = np.arange(len(rows))
    return Spans(
        video.astype("i8"),
        start.astype("f8"),
        (start + length).astype("f8"),
        best,
        score.astype("f4"),
        best,
    )


rows = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 60).map(float),
        st.integers(1, 9).map(float),
        st.integers(0, 9).map(float),
    ),
    unique_by=lambda row: row[:2],
    max_size=12,
)


@given(rows, rows, st.floats(0, 20))
def test_each_is_followed_by_the_best_that_fits(one, other, within):
    first, second = spans(one), spans(other)
    ones, others = find_followers(first, second, within)
    expected = {}
    for at in range(len(first)):
        fits = [
            (-second.score[b], b)
            for b in range(len(second))
            if second.video[b] == first.video[at]
            and second.start[b] > first.start[at]
            and not (second.start[b] >= first.start[at] and second.end[b] <= first.end[at])
            and second.start[b] <= first.end[at] + within
        ]
        if fits:
            expected[at] = min(fits)[1]
    assert dict(zip(ones.tolist(), others.tolist(), strict=True)) == expected


class TestThen:
    def test_the_second_comes_later_in_the_same_video(
        self, sequences: Library, followed_by: tuple[str, str]
    ):
        page = sequences.search(followed_by[0], then=followed_by[1], within=5, limit=99)
        assert page.total == len(page) > 0
        for moment in page:
            assert moment.then is not None
            assert moment.then.start > moment.start
            assert moment.then.end > moment.end
            assert moment.then.start <= moment.end + 5

    def test_scores_are_of_both(self, sequences: Library, followed_by: tuple[str, str]):
        first = {(m.path, m.t): m for m in sequences.search(followed_by[0], limit=99)}
        second = {(m.path, m.t): m for m in sequences.search(followed_by[1], limit=99)}
        page = sequences.search(followed_by[0], then=followed_by[1], limit=99)
        assert page.total
        for moment in page:
            one, other = first[moment.path, moment.t], second[moment.path, moment.then.t]
            assert moment.score == pytest.approx((one.score + other.score) / 2, abs=1e-4)
            assert moment.then.score == pytest.approx(other.score, abs=1e-4)
            assert moment.then.confidence == pytest.approx(other.confidence, abs=1e-4)
            assert moment.confidence == pytest.approx(
                min(one.confidence, other.confidence), abs=1e-4
            )

    def test_filters_act_on_what_is_shown(self, sequences: Library, followed_by: tuple[str, str]):
        everything = sequences.search(followed_by[0], then=followed_by[1], limit=99)
        least = everything[len(everything) // 2].score
        page = sequences.search(followed_by[0], then=followed_by[1], limit=99, min_score=least)
        assert list(page) == [moment for moment in everything if moment.score >= least]

    def test_pages_make_the_whole(self, sequences: Library, followed_by: tuple[str, str]):
        everything = sequences.search(followed_by[0], then=followed_by[1], limit=99)
        paged = [
            sequences.search(followed_by[0], then=followed_by[1], limit=1, offset=at)[0]
            for at in range(everything.total)
        ]
        assert paged == list(everything)

    def test_by_video_makes_no_sense(self, sequences: Library):
        with pytest.raises(QueryError, match="leave `by` out"):
            sequences.search("a beach", then="a cat", by="video")
