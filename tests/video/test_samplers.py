import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.video.samplers import parse_sampler
from framefind.video.samplers.count import spread_times
from framefind.video.samplers.every import first_of_each_interval, interval_number
from framefind.video.samplers.shots import first_of_each_shot

times = st.lists(st.floats(0, 1e5), min_size=1, max_size=60, unique=True).map(sorted)


@dataclass(eq=False)
class Seen:
    t: float
    level: int = 0
    picture: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.picture = np.full((4, 4, 3), self.level, np.uint8)

    def look(self) -> NDArray[np.uint8]:
        return self.picture


def film(levels: list[int]) -> Iterator[Seen]:
    return (Seen(float(i), level) for i, level in enumerate(levels))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("every=1", "every=1.0"),
        ("every=0.5", "every=0.5"),
        ("every=.5", "every=0.5"),
        ("every=2.", "every=2.0"),
        ("count=10", "count=10"),
        ("count=010", "count=10"),
        ("count=10,random=0", "count=10,random=0"),
        ("keyframes", "keyframes"),
        ("shots", "shots"),
    ],
)
def test_names_are_canonical(text: str, name: str) -> None:
    sampler = parse_sampler(text)
    assert sampler.name == name
    assert parse_sampler(name) == sampler


@pytest.mark.parametrize(
    "text",
    ["", "every", "every=0", "every=-1", "every=nan", "every=inf", "every=1e3", "count=0",
     "count=1.5", "count=3,random=", "count=3,random=-1", "random=1", "Keyframes", "shots=2"],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="use every=SECONDS"):
        parse_sampler(text)


def of_each_interval(shown: list[float], interval: float, end: float) -> list[float]:
    """By the definition: of each interval the first frame that begins, or the one that stands."""
    chosen = set()
    slots = [interval_number(t, interval) for t in shown]
    for number in range(slots[0], slots[-1] + 1):
        begin = [t for t, own in zip(shown, slots, strict=True) if own == number]
        stand = [t for t, own in zip(shown, slots, strict=True) if own < number]
        chosen.add(begin[0] if begin else stand[-1])
    if end - shown[-1] > interval:
        chosen.add(shown[-1])
    return sorted(chosen)


gaps = st.lists(st.sampled_from([0.04, 0.04, 0.1, 0.5, 1.0, 1.7, 40.0]), min_size=1, max_size=40)


@given(gaps, st.floats(0.02, 100), st.floats(0, 200))
def test_every_takes_the_first_frame_of_each_interval_or_the_one_that_stands(
    steps: list[float], interval: float, tail: float
) -> None:
    shown = list(accumulate(steps))
    end = shown[-1] + tail
    chosen = first_of_each_interval(
        (Seen(t) for t in shown), interval, stands=lambda last: end - last.t > interval
    )
    assert [frame.t for frame in chosen] == of_each_interval(shown, interval, end)


def test_a_page_that_stands_after_a_cross_fade_is_taken() -> None:
    shown = [Seen(t) for t in (0.0, 60.0, 60.2, 60.4, 300.0)]
    assert [frame.t for frame in first_of_each_interval(shown, 1.0)] == [0.0, 60.0, 60.4, 300.0]
    assert [frame.t for frame in first_of_each_interval(shown[:4], 1.0)] == [0.0, 60.0]
    assert [frame.t for frame in first_of_each_interval(shown[:4], 1.0, stands=lambda last: True)][
        -1
    ] == 60.4


@given(gaps, st.floats(0.02, 100), st.data())
def test_every_may_begin_and_end_anywhere(
    steps: list[float], interval: float, data: st.DataObject
) -> None:
    shown = list(accumulate(steps))
    cuts = sorted(data.draw(st.lists(st.sampled_from([0.0, *shown, shown[-1] + 1]), max_size=4)))
    parts = []

    def far(t: float, after: float) -> bool:
        return after > t and interval_number(after, interval) > interval_number(t, interval) + 1

    for start, end in pairwise([-math.inf, *cuts, math.inf]):
        own = [Seen(t) for t in shown if start <= t < end]
        before = max((t for t in shown if t < start), default=-math.inf)
        after = min((t for t in shown if t >= end), default=-math.inf)
        parts += first_of_each_interval(
            own, interval, before, lambda last, after=after: far(last.t, after)
        )
    assert [frame.t for frame in parts] == [
        frame.t for frame in first_of_each_interval([Seen(t) for t in shown], interval)
    ]


@given(times, st.floats(0.001, 100), st.integers(0, 60))
def test_every_may_begin_anywhere(shown: list[float], interval: float, at: int) -> None:
    at = min(at, len(shown) - 1)
    whole = [frame.t for frame in first_of_each_interval((Seen(t) for t in shown), interval)]
    later = [frame.t for frame in first_of_each_interval((Seen(t) for t in shown[at:]), interval)]
    assert later[1:] == [t for t in whole if t > shown[at]]


def test_every_forgives_the_rounding_of_times() -> None:
    shown = [Seen(i / 10) for i in range(11)]  # 0.3 / 0.1 < 3
    assert [frame.t for frame in first_of_each_interval(shown, 0.1)] == [frame.t for frame in shown]


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


def test_shots_begin_at_cuts() -> None:
    levels = [10] * 10 + [90] * 10 + [200] * 10
    assert [frame.t for frame in first_of_each_shot(film(levels))] == [0, 10, 20]


def test_neither_motion_nor_a_flash_is_a_cut() -> None:
    moving = [i * 20 for i in range(12)]
    flash = [50] * 10 + [255] + [50] * 10
    assert [frame.t for frame in first_of_each_shot(film(moving))] == [0]
    assert [frame.t for frame in first_of_each_shot(film(flash))] == [0]


def test_a_page_that_fades_in_and_stands_is_a_shot() -> None:
    fade = [Seen(i / 10, 10 + 4 * i) for i in range(11)]
    again = [Seen(60.0 + i * 10, 50) for i in range(4)]  # the same, given again
    assert [frame.t for frame in first_of_each_shot([*fade, *again])] == [0, 1.0]
    last = Seen(1.1, 51)
    assert [frame.t for frame in first_of_each_shot([*fade, last], lambda frame: frame.t + 5)] == [
        0,
        1.1,
    ]


@pytest.mark.parametrize("levels", [[10], [10, 10], [10, 200], [10, 10, 10, 200], [10, 200, 200]])
def test_shots_of_a_very_short_film(levels: list[int]) -> None:
    cuts = [i for i, level in enumerate(levels) if i and level != levels[i - 1]]
    assert [frame.t for frame in first_of_each_shot(film(levels))] == [0, *cuts]


def test_every_shot_is_found_at_the_very_end() -> None:
    assert [frame.t for frame in first_of_each_shot(film([10] * 20 + [200]))] == [0, 20]


@given(st.lists(st.sampled_from([0, 40, 120, 250]), min_size=8, max_size=40), st.integers(4, 40))
def test_shots_may_begin_anywhere(levels: list[int], at: int) -> None:
    at = min(at, len(levels) - 1)
    seen = list(film(levels))
    whole = [frame.t for frame in first_of_each_shot(seen) if frame.t >= at]
    assert [frame.t for frame in first_of_each_shot(seen[at - 3 :]) if frame.t >= at] == whole


def test_shots_keep_only_a_few_frames() -> None:
    alive: list[int] = []

    class Counted(Seen):
        def __del__(self) -> None:
            alive.remove(id(self))

    def frames() -> Iterator[Seen]:
        for i in range(100):
            frame = Counted(float(i), 10)
            alive.append(id(frame))
            yield frame
            assert len(alive) <= 8

    assert len(list(first_of_each_shot(frames()))) == 1
