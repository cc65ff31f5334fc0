"""Files in which some frames have no time, or the rate is a guess, are indexed like others.

A program stream may give a time to the first of several small frames only, as FFmpeg writes H.264
and HEVC into one. Where frames are reordered, too, their times cannot be told exactly.
"""

from fractions import Fraction
from pathlib import Path

import av
import pytest

import framefind
import media
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler

_FPS = 25
_PICTURES = media.ramp(100)


def _film(path: Path, bframes: int, codec: str = "libx264") -> Path:
    quiet = f"keyint=20:bframes={bframes}:scenecut=0:log-level=none"
    own = {"g": "20", "bf": str(bframes), "sc_threshold": "0"}
    options = {"x265-params": quiet} if codec == "libx265" else own
    form = "vob" if path.suffix == ".mpg" else None
    return media.film(
        path, fps=_FPS, pictures=_PICTURES, codec=codec, options=options, container_format=form
    )


def _times(path: Path, sampler: str) -> tuple[list[float], str | None]:
    with Video(path) as video:
        return [frame.t for frame in video.frames(parse_sampler(sampler))], video.partial


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_frames_without_a_time_follow_the_one_before(tmp_path: Path, codec: str) -> None:
    path = _film(tmp_path / "a.mpg", 0, codec)
    with av.open(path) as container:
        assert sum(packet.pts is None for packet in container.demux(video=0) if packet.size) > 50
    every, partial = _times(path, "every=0.001")
    assert partial is None
    assert every == pytest.approx([i / _FPS for i in range(100)])
    assert _times(path, "keyframes")[0] == pytest.approx([0.0, 0.8, 1.6, 2.4, 3.2])
    assert _times(path, "count=7")[0] == pytest.approx(
        [every[round(t * _FPS)] for t in _times(path, "count=7")[0]]
    )
    assert len(_times(path, "count=7")[0]) == 7
    for number in (1, 30, 77):
        shown = framefind.frame(path, number / _FPS)
        assert abs(int(shown[24, 32, 0]) - int(_PICTURES[number][24, 32, 0])) < 3


def test_estimated_times_are_no_secret(tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mpg", 2)
    times, partial = _times(path, "every=0.001")
    assert len(times) == 100
    assert "no time" in (partial or "")


def _hevc_avi(path: Path) -> Path:
    """Write HEVC into an AVI, as cameras do and FFmpeg's writer refuses to."""
    raw = _film(path.with_suffix(".hevc"), 4, "libx265")
    with av.open(raw) as source, av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=_FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = number
                packet.time_base = 1 / Fraction(_FPS)
                packet.stream = stream
                container.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"HEVC"))
    return path


def test_keyframes_of_an_avi_have_their_own_times(tmp_path: Path) -> None:
    path = _hevc_avi(tmp_path / "a.avi")
    with Video(path) as video:
        all_frames = [
            (frame.t, frame.is_keyframe) for frame in video.frames(parse_sampler("every=0.001"))
        ]
    keyframes = [t for t, is_keyframe in all_frames if is_keyframe]
    assert len(keyframes) == 5
    assert _times(path, "keyframes")[0] == keyframes


def test_an_avi_that_was_written_to_a_pipe_is_whole(tmp_path: Path) -> None:
    data = bytearray(_film(tmp_path / "a.avi", 0, "mpeg4").read_bytes())
    at = data.find(b"strh") + 8 + 32  # the stream's length in frames
    data[at : at + 4] = (2**30).to_bytes(4, "little")
    data[4:8] = b"\xff" * 4
    data = data[: data.rfind(b"idx1")]
    (tmp_path / "a.avi").write_bytes(data)
    with Video(tmp_path / "a.avi") as video:
        assert len(list(video.frames(parse_sampler("every=0.001")))) == 100
        assert video.partial is None
        assert video.duration == pytest.approx(100 / _FPS)


@pytest.mark.parametrize(("name", "codec"), [("a.dv", "dvvideo"), ("a.mkv", "mpeg4")])
def test_a_clock_rate_is_no_frame_rate(tmp_path: Path, name: str, codec: str) -> None:
    size = (720, 576) if codec == "dvvideo" else (64, 48)
    with Video(media.film(tmp_path / name, 1.0, size, _FPS, codec=codec)) as video:
        assert video.facts.fps == _FPS
