"""Which videos a page may show: as many as it takes, and no others."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.search.ranking import LOWEST, find_leading

WIDTH = 5.0  # of all bounds


@dataclass
class Results:
    scores: NDArray[np.float64]


# For each video how far its best result is above its lower bound, and its results; or none of them.
videos = st.lists(
    st.tuples(
        st.floats(0, WIDTH),
        st.lists(st.integers(-20, 20).map(float), max_size=4),
        st.floats(-20, 20),
    ),
    max_size=40,
)


@given(videos, st.integers(1, 12), st.none() | st.floats(-20, 20))
def test_the_first_are_those_of_all_videos(videos, count, floor):
    best = np.array([max(own, default=free) for _, own, free in videos], np.float64)
    low = best - [above for above, _, _ in videos]
    high = low + WIDTH
    looked = []

    def find(chosen: NDArray[np.int64]) -> Results:
        looked.append(chosen)
        scores = [score for at in chosen for score in videos[at][1]]
        return Results(np.array(sorted(scores, reverse=True), np.float64))

    found = find_leading(low, high, count, find, LOWEST if floor is None else floor).scores
    truth = sorted((score for _, own, _ in videos for score in own), reverse=True)
    if floor is not None:  # what is worse may be among them, or may not
        truth = [score for score in truth if score >= floor]
        assert found[: min(count, len(truth))].tolist() == truth[:count]
    else:
        assert found[:count].tolist() == truth[:count]
        assert len(found) == len(truth) or len(found) >= count
    if all(own for _, own, _ in videos):
        assert len(looked) == 1


def test_few_videos_are_looked_at():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=1000)
    chosen = []

    def find(some: NDArray[np.int64]) -> Results:
        chosen.append(len(some))
        return Results(np.sort(scores[some])[::-1])

    find_leading(scores - 0.01, scores + 0.01, 10, find)
    assert chosen[0] <= 12
    assert len(chosen) == 1
