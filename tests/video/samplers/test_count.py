import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from framefind.video.samplers.count import spread_times

times = st.lists(st.floats(0, 1e5), min_size=1, max_size=60, unique=True).map(sorted)


@given(times, st.integers(1, 80), st.none() | st.integers(0, 9))
def test_spread_gives_that_many_times_of_frames(
    shown: list[float], count: int, seed: int | None
) -> None:
    chosen = spread_times(shown, count, seed)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(shown)
    assert 1 <= len(chosen) <= count
    if seed is not None or count >= len(shown):
        assert len(chosen) == min(count, len(shown))


@given(st.integers(1, 500), st.integers(1, 50))
def test_spread_is_even(frames: int, count: int) -> None:
    chosen = spread_times([float(i) for i in range(frames)], count)
    assert len(chosen) == min(count, frames)
    gaps = np.diff(chosen)
    assert not len(gaps) or max(gaps) - min(gaps) <= 1
    assert abs(chosen[0] - (frames - 1 - chosen[-1])) <= 1


def test_a_last_frame_that_stands_for_long_is_among_those_of_count() -> None:
    shown = [i / 10 for i in range(600)]
    assert spread_times(shown, 10, end=60.0) == spread_times(shown, 10)
    assert spread_times(shown, 10, end=300.0) == [15.0, 45.0, 59.9]


def test_a_seed_repeats_itself_and_another_differs() -> None:
    shown = [float(i) for i in range(1000)]
    assert spread_times(shown, 10, 1) == spread_times(shown, 10, 1) != spread_times(shown, 10, 2)
