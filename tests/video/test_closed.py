"""A decoder, its threads and its pictures are gone when they are done with, not some time later."""

import os
import random
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import framefind
import media
from framefind.errors import FramefindError
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler
from leaks import counts, nothing_left

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(params=["libx264", "mpeg4"])
def film(request, tmp_path):
    return media.film(tmp_path / "film.mp4", 4.0, (320, 240), codec=request.param, rotation=90)


def test_frame(film):
    framefind.frame(film, 1.0)
    with nothing_left():
        for _ in range(5):
            assert isinstance(framefind.frame(film, 1.0), np.ndarray)


@pytest.mark.parametrize("sampler", ["every=1.0", "keyframes", "shots", "count=3"])
def test_frames_that_are_left_in_the_middle(film, sampler):
    def look() -> None:
        with Video(film) as video:
            for frame in islice(video.frames(parse_sampler(sampler)), 1):
                assert frame.thumbnail()

    look()
    with nothing_left():
        look()


def test_play(film):
    def look() -> None:
        with Video(film) as video:
            assert [frame.scale(32, 24).shape for frame in islice(video.play(0.5), 3)]

    look()
    with nothing_left():
        look()


def test_a_closed_video_that_is_still_held(film):
    before = counts()
    with Video(film) as video:
        assert counts() != before
    assert counts() == before
    assert video.facts.height == 320


def test_what_cannot_be_decoded(film, tmp_path):
    bad = media.truncated(film, 0.05)

    def look() -> None:
        with suppress(FramefindError):
            framefind.frame(bad, 1.0)
        with suppress(FramefindError):
            framefind.frame(film, 1e6)

    look()
    with nothing_left():
        look()


def test_damaged_videos_over_and_over(tmp_path):
    whole = media.film(tmp_path / "film.mkv", 4.0, (320, 240)).read_bytes()
    rng = random.Random(1)
    bad = []
    for at in range(8):
        data = bytearray(whole[: rng.randrange(len(whole) // 2, len(whole))])
        for _ in range(30):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        bad.append(tmp_path / f"{at}.mkv")
        bad[-1].write_bytes(data)

    def look() -> None:
        for path in bad:
            for sampler in ("every=1.0", "keyframes", "count=3"):
                with suppress(FramefindError), Video(path) as video:
                    list(video.frames(parse_sampler(sampler)))
            with suppress(FramefindError):
                framefind.frame(path, 2.0)

    for _ in range(3):
        look()
    with nothing_left():
        before = memory()
        for _ in range(6):
            look()
        assert memory() - before < 20


def memory() -> float:
    """Megabytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
