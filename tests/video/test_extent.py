"""Whether a container shows that its file is still being written."""

from fractions import Fraction

import av
import numpy as np
import pytest

from framefind.video.extent import is_closed


def write(path, container, codec="mpeg4", **options):
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=Fraction(5))
        stream.width = stream.height = 64
        noise = np.random.default_rng(1)
        for _ in range(20):
            pixels = noise.integers(0, 256, (64, 64, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "mpeg4", {}),
        ("mp4", "mpeg4", {"movflags": "faststart"}),
        ("mov", "mpeg4", {}),
        ("matroska", "mpeg4", {}),
        ("avi", "mpeg4", {}),
        ("ogg", "libvpx", {}),
        ("mxf", "mpeg2video", {}),
    ],
)
def test_a_finished_file_is_closed_and_half_of_it_is_not(container, codec, options, tmp_path):
    try:
        path = write(tmp_path / "film", container, codec, **options)
    except av.error.FFmpegError:
        pytest.skip(f"this FFmpeg cannot write {codec}")
    data = path.read_bytes()
    assert is_closed(str(path), len(data))
    half = tmp_path / "half"
    half.write_bytes(data[: len(data) // 2])
    assert not is_closed(str(half), len(data) // 2)


def test_a_file_that_is_being_written_is_not_closed(tmp_path):
    path = tmp_path / "live.mkv"
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("mpeg4", rate=Fraction(5))
        stream.width = stream.height = 64
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            output.mux(stream.encode(frame))
        size = path.stat().st_size
        assert size == 0 or not is_closed(str(path), size)
    assert is_closed(str(path), path.stat().st_size)


def test_fragments_and_reserved_room_may_go_on(tmp_path):
    path = write(tmp_path / "live.mp4", "mp4", movflags="frag_keyframe+empty_moov")
    assert not is_closed(str(path), path.stat().st_size)
    reserved = tmp_path / "reserved.mp4"
    reserved.write_bytes(bytes(100_000))
    assert not is_closed(str(reserved), 100_000)
    assert not is_closed(str(tmp_path / "gone.mp4"), 5)


def test_what_is_no_container_is_closed(tmp_path):
    text = tmp_path / "film.srt"
    text.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    assert is_closed(str(text), text.stat().st_size)
