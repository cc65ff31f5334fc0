import pytest

from framefind.indexing.pace import Pace


def test_nothing_is_told_before_enough_is_known():
    pace = Pace(1000)
    assert pace.left(0, now=0) is None
    assert pace.left(0, now=50) is None  # a model was loaded
    assert pace.left(1, now=50) is None
    assert pace.left(100, now=51) is None  # too soon
    assert pace.left(5, now=56) is None  # too little


def test_what_is_left_goes_by_what_was_done_since_work_began():
    pace = Pace(1000)
    pace.left(0, now=0)
    pace.left(10, now=100)  # the first frame: what came before does not count
    assert pace.left(110, now=110) == pytest.approx(89)
    assert pace.left(510, now=150) == pytest.approx(49)
    assert pace.left(1000, now=200) == 0


def test_a_minute_of_work_is_enough_however_much_there_is():
    pace = Pace(1e9)
    pace.left(1, now=0)
    assert pace.left(1001, now=59) is None
    assert pace.left(1001, now=60) == pytest.approx(60 * (1e9 - 1001) / 1000)
    stuck = Pace(1e9)
    stuck.left(1, now=0)
    assert stuck.left(1, now=100) is None
