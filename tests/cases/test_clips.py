"""A clip lasts as long as it says, also where a picture stands."""

from itertools import pairwise
from pathlib import Path

import av
import pytest

import media
from framefind.server.playback import transcode


def made(path: Path, start: float, end: float) -> tuple[float, list[tuple[float, float]]]:
    """The length of a clip in seconds, and when each of its pictures begins and ends."""
    target = path.with_name("clip.mp4")
    for _ in transcode.write_clip(str(path), path.stat().st_size, start, end, str(target)):
        pass
    with av.open(target) as container:
        assert container.duration
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert all(packet.time_base for packet in packets)
        shown = [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))  # type: ignore[operator]
            for p in packets
        ]
        return container.duration / av.time_base, shown


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("start", "end"), [(100, 110), (55, 65), (210, 290), (0, 0.5), (61.5, 62), (295, 300)]
)
def test_a_clip_over_a_still_picture_lasts(
    tmp_path: Path, suffix: str, start: float, end: float
) -> None:
    path = media.film(
        tmp_path / f"screen.{suffix}",
        colours=[media.RED, media.GREEN, media.BLUE, media.WHITE, media.BLACK],
        times=[0.0, 60.0, 61.5, 200.0, 300.0],
    )
    length, shown = made(path, start, end)
    assert length == pytest.approx(end - start, abs=0.002)
    assert shown[0][0] == 0
    assert shown[-1][1] == pytest.approx(end - start, abs=0.002)
    assert all(one[1] == pytest.approx(two[0]) for one, two in pairwise(shown))
    assert max(until - t for t, until in shown) <= 2


def test_a_clip_of_one_picture_a_second_lasts(tmp_path: Path) -> None:
    path = media.film(tmp_path / "slow.mp4", seconds=10, fps=1)
    assert made(path, 0, 2) == (2.0, [(0.0, 1.0), (1.0, 2.0)])
    assert made(path, 8, 30)[0] == pytest.approx(2.0, abs=0.002)  # the video's end


def test_a_fast_video_loses_pictures_and_no_time(tmp_path: Path) -> None:
    path = media.film(tmp_path / "fast.mp4", seconds=2, fps=120)
    length, shown = made(path, 0.5, 1.5)
    assert length == pytest.approx(1.0, abs=0.002)
    assert 50 < len(shown) < 62
