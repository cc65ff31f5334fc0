"""A page that stands for minutes is in the index, whatever came just before it."""

from pathlib import Path

import av
import pytest

import media
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "ts", "flv"])
@pytest.mark.parametrize("sampler", ["every=0.5", "every=1", "every=5", "count=10", "shots"])
def test_a_page_after_a_cross_fade_is_sampled(tmp_path: Path, suffix: str, sampler: str) -> None:
    page = media.BLUE
    mixed = (130, 60, 130)
    other = media.RED
    path = media.film(
        tmp_path / f"slides.{suffix}",
        pictures=[media.plain(colour) for colour in (page, mixed, mixed, other, page)],
        times=[0.0, 60.0, 60.2, 60.4, 300.0],
        codec="libvpx" if suffix == "webm" else "libx264",
    )
    with Video(path) as video:
        seen = [
            (frame.t, frame.scale(4, 4)[2, 2]) for frame in video.frames(parse_sampler(sampler))
        ]
    assert any(t == pytest.approx(60.4, abs=0.01) and pixel[0] > 180 for t, pixel in seen)


def test_a_page_that_stands_until_the_end_is_sampled(tmp_path: Path) -> None:
    path = media.film(tmp_path / "end.mp4", times=[i / 10 for i in range(24)], options={"bf": "0"})
    with Video(path) as video:
        assert [frame.t for frame in video.frames(parse_sampler("every=1"))] == [0.0, 1.0, 2.0]
    long = _lasting(path, 60.0)
    with Video(long) as video:
        assert video.facts.duration == pytest.approx(62.3, abs=0.1)
        assert [frame.t for frame in video.frames(parse_sampler("every=1"))][-1] == 2.3
        assert [frame.t for frame in video.frames(parse_sampler("count=5"))][-1] == 2.3


def _lasting(path: Path, seconds: float) -> Path:
    """The same film, whose last frame stands for so many seconds."""
    target = path.with_stem("lasting")
    with av.open(path) as source, av.open(target, "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        last = max(packets, key=lambda packet: packet.pts or 0)
        for packet in packets:
            if packet is last and packet.time_base:
                packet.duration = round(seconds / packet.time_base)
            packet.stream = stream
            made.mux(packet)
    return target


def test_nothing_stands_where_a_file_is_cut(tmp_path: Path) -> None:
    path = media.film(tmp_path / "cut.mp4", seconds=20, container_options={"movflags": "faststart"})
    media.truncated(path, 0.85)
    with Video(path) as video:
        spread = [frame.t for frame in video.frames(parse_sampler("count=5"))]
        shown = [frame.t for frame in video.frames(parse_sampler("every=1"))]
    assert len(spread) >= 3
    assert spread[-1] - spread[0] > 0.5 * shown[-1]
    assert shown == [float(i) for i in range(len(shown))]
