"""When a file counts as complete, and that each is given out once as it is."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.indexing.waiting import Waiting
from framefind.indexing.walk import File, look_up


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def waiting(clock):
    return Waiting(settle=2, patience=60, clock=clock)


def test_a_file_is_given_once_its_size_has_rested(waiting, clock, clips, tmp_path):
    file = tmp_path / "a.mp4"
    data = (clips / "a.mp4").read_bytes()
    file.write_bytes(data[:1000])
    assert waiting.add(look_up(str(file)))
    clock.now = 5  # it rests, but its container lacks its end
    assert not waiting.check()
    assert waiting.take() == []
    file.write_bytes(data)
    assert not waiting.check()
    clock.now = 6.9
    assert not waiting.check()
    clock.now = 7
    assert waiting.check()
    assert waiting.take() == [look_up(str(file))]
    assert waiting.take() == []
    assert not waiting.add(look_up(str(file)))  # it is as it was
    os.utime(file, (0, 0))
    assert waiting.add(look_up(str(file)))


def test_one_that_stays_unfinished_is_given_in_the_end(waiting, clock, clips, tmp_path):
    file = tmp_path / "a.mp4"
    file.write_bytes((clips / "a.mp4").read_bytes()[:1000])
    waiting.add(look_up(str(file)))
    clock.now = 59
    assert not waiting.check()
    clock.now = 60
    assert waiting.check()
    assert len(waiting.take()) == 1


def test_what_has_rested_before_is_not_waited_for(waiting, clock, clips, tmp_path):
    file = tmp_path / "a.mp4"
    file.write_bytes((clips / "a.mp4").read_bytes()[:1000])
    os.utime(file, (time.time() - 61,) * 2)
    waiting.add(look_up(str(file)))
    clock.now = 2
    assert waiting.check()


def test_a_clock_that_is_behind_is_no_rest(waiting, clock, clips, tmp_path):
    """Such as a network drive's: what was seen to grow has not rested for as long as it says."""
    file = tmp_path / "a.mp4"
    for size in (1000, 2000):
        file.write_bytes((clips / "a.mp4").read_bytes()[:size])
        os.utime(file, (time.time() - 3600 + size,) * 2)
        waiting.add(look_up(str(file)))
    clock.now = 59
    assert not waiting.check()
    clock.now = 60
    assert waiting.check()


def test_what_is_gone_from_a_folder_is_forgotten(waiting, tmp_path):
    files = [File(f"s3://bucket/{name}", 1) for name in ("v/a.mp4", "v/b.mp4", "w/c.mp4")]
    for file in files:
        waiting.add(file)
    waiting.check()
    waiting.take()
    assert waiting.forget_gone(["s3://bucket/v"], {files[0].path}) == [files[1].path]
    assert [waiting.add(file) for file in files] == [False, True, False]


def test_what_goes_is_not_given_and_what_comes_again_is(waiting, clock, clips, tmp_path):
    file = tmp_path / "a.mp4"
    file.write_bytes((clips / "c.mp4").read_bytes())
    waiting.add(look_up(str(file)))
    file.rename(tmp_path / "b.mp4")
    clock.now = 3
    assert not waiting.check()
    assert len(waiting) == 0
    assert not waiting.add(look_up(str(file)))  # it cannot be looked at
    (tmp_path / "b.mp4").rename(file)
    assert waiting.add(look_up(str(file)))


def test_what_was_not_done_is_given_again(waiting, clock, clips):
    files = [look_up(str(clips / name)) for name in ("c.mp4", "a.mp4")]
    for file in files:
        waiting.add(file)
    clock.now = 2
    waiting.check()
    assert waiting.take() == files  # the smaller one first
    waiting.give_back(files[1:])
    assert waiting.take() == files[1:]
    waiting.forget([files[0].path])
    assert waiting.add(files[0])
    assert not waiting.add(files[1])
    assert waiting.add(files[1], again=True)


def test_objects_in_a_store_are_complete(waiting):
    waiting.add(File("s3://bucket/a.mp4", 5, 7))
    assert waiting.check()
    assert [file.path for file in waiting.take()] == ["s3://bucket/a.mp4"]


@given(st.lists(st.sampled_from(["add", "check", "take", "give back"]), max_size=20))
def test_nothing_is_lost_or_doubled(steps):
    """Each of three objects is either waiting or was given out, whatever happens."""
    waiting = Waiting(0, 0)
    files = [File(f"s3://bucket/{name}", 1) for name in "abc"]
    out: list[File] = []
    for step in ["add", *steps]:
        if step == "add":
            for file in files:
                waiting.add(file)
        elif step == "check":
            waiting.check()
        elif step == "take":
            out += waiting.take()
        else:
            waiting.give_back(out)
            out = []
        assert len(waiting) + len(out) == len(files)
        assert len({file.path for file in out}) == len(out)
