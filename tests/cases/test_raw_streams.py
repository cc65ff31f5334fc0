"""Raw streams have no timestamps: the rate that their headers declare counts."""

from pathlib import Path

import pytest

import framefind
import media
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler


@pytest.mark.parametrize(
    ("name", "codec", "form", "fps"),
    [("a.h264", "libx264", "h264", 30), ("a.265", "libx265", "hevc", 10),
     ("a.m4v", "mpeg4", "m4v", 12)],
)  # fmt: skip
def test_times_follow_the_declared_rate(
    tmp_path: Path, name: str, codec: str, form: str, fps: int
) -> None:
    quiet = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    path = media.film(
        tmp_path / name,
        seconds=3,
        fps=fps,
        codec=codec,
        options=quiet,
        container_format=form,
    )
    with Video(path) as video:
        assert video.facts.fps == fps
        shown = [frame.t for frame in video.frames(parse_sampler("every=0.01"))]
        spread = [frame.t for frame in video.frames(parse_sampler("count=10"))]
    assert shown == [i / fps for i in range(3 * fps)]
    assert len(spread) == 10
    assert spread[-1] > 2.7
    at_two = media.ramp(3 * fps)[2 * fps][0, 0, 0]
    assert abs(int(framefind.frame(path, 2.0)[24, 32, 0]) - int(at_two)) < 6
