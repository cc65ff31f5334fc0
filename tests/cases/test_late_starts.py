"""A file whose first timestamp is hours lasts as long as what is in it."""

from pathlib import Path

import pytest

import media
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "flv", "ts"])
@pytest.mark.parametrize("begin", [0.0, 36000.123])
def test_times_and_length_count_from_the_start(tmp_path: Path, suffix: str, begin: float) -> None:
    path = media.film(tmp_path / f"late.{suffix}", times=[begin + i / 5 for i in range(50)])
    with Video(path) as video:
        assert video.facts.duration == pytest.approx(10.0, abs=0.21)
        shown = [frame.t for frame in video.frames(parse_sampler("every=1"))]
    assert shown == pytest.approx(list(range(10)), abs=0.21)
