import math
from dataclasses import dataclass
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from framefind.video.samplers.every import first_of_each_interval, interval_number

times = st.lists(st.floats(0, 1e5), min_size=1, max_size=60, unique=True).map(sorted)


@dataclass
class Shown:
    t: float


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
        (Shown(t) for t in shown), interval, stands=lambda last: end - last.t > interval
    )
    assert [frame.t for frame in chosen] == of_each_interval(shown, interval, end)


def test_a_page_that_stands_after_a_cross_fade_is_taken() -> None:
    shown = [Shown(t) for t in (0.0, 60.0, 60.2, 60.4, 300.0)]
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
        own = [Shown(t) for t in shown if start <= t < end]
        before = max((t for t in shown if t < start), default=-math.inf)
        after = min((t for t in shown if t >= end), default=-math.inf)
        parts += first_of_each_interval(
            own, interval, before, lambda last, after=after: far(last.t, after)
        )
    assert [frame.t for frame in parts] == [
        frame.t for frame in first_of_each_interval([Shown(t) for t in shown], interval)
    ]


@given(times, st.floats(0.001, 100), st.integers(0, 60))
def test_every_may_begin_anywhere(shown: list[float], interval: float, at: int) -> None:
    at = min(at, len(shown) - 1)
    whole = [frame.t for frame in first_of_each_interval((Shown(t) for t in shown), interval)]
    later = [frame.t for frame in first_of_each_interval((Shown(t) for t in shown[at:]), interval)]
    assert later[1:] == [t for t in whole if t > shown[at]]


def test_every_forgives_the_rounding_of_times() -> None:
    shown = [Shown(i / 10) for i in range(11)]  # 0.3 / 0.1 < 3
    assert [frame.t for frame in first_of_each_interval(shown, 0.1)] == [frame.t for frame in shown]
