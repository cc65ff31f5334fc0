from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.video.samplers.shots import first_of_each_shot


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
