"""Cut and damaged files are indexed as far as they go, and are marked as partial.

After jbaruch/speaker-toolkit#381 and nhershy/CorruptVideoFileInspector#29.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import media
from framefind.video.process import DecoderProcess

CONTAINERS = ["mp4", "mov", "mkv", "webm", "ts", "mpg", "wmv", "flv", "avi", "mxf"]
CODECS = {"webm": "libvpx", "mpg": "mpeg2video", "mxf": "mpeg2video", "wmv": "wmv2", "avi": "mpeg4"}
HOLE = 2**16  # bytes


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A film of five seconds in each container; noise keeps it from getting small."""
    folder = tmp_path_factory.mktemp("films")
    noise = np.random.default_rng(1)
    pictures = [
        np.clip(picture + noise.integers(-40, 40, picture.shape), 0, 255).astype(np.uint8)
        for picture in media.ramp(125, (320, 240))
    ]
    options = {"g": "50", "deadline": "realtime", "preset": "ultrafast"}

    def film(name: str, codec: str) -> Path:
        size = 320, 240
        path = folder / name
        return media.film(path, size=size, fps=25, pictures=pictures, codec=codec, options=options)

    films = {kind: film(f"film.{kind}", codec) for kind, codec in CODECS.items()}
    h264 = film("h264.mp4", "libx264")
    return films | {
        kind: copied(h264, folder / f"film.{kind}") for kind in {*CONTAINERS} - {*CODECS}
    }


def copied(source: Path, path: Path) -> Path:
    """Copy the packets of a video into another container."""
    kind = {"container_options": {"movflags": "faststart"}} if path.suffix == ".mp4" else {}
    with av.open(source) as film, av.open(path, "w", **kind) as copy:
        stream = copy.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    return path


@pytest.fixture(scope="module")
def worker() -> Iterator[DecoderProcess]:
    one = DecoderProcess()
    yield one
    one.close()


def index(worker: DecoderProcess, path: Path, sampler: str = "every=1") -> tuple[int, str | None]:
    """The number of frames that are sampled, and why the video is partial."""
    worker.open(str(path))
    return sum(1 for _ in worker.frames(sampler, "whole", 64)), worker.partial


def with_hole(source: Path, path: Path, at: float, data: bytes) -> Path:
    content = bytearray(source.read_bytes())
    start = min(int(len(content) * at), len(content) - len(data) - 4000)
    content[start : start + len(data)] = data
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sampler", ["every=1", "count=4"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_whole_file_is_not_partial(films, worker, kind, sampler):
    frames, partial = index(worker, films[kind], sampler)
    assert frames >= 4
    assert partial is None


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("kind", [kind for kind in CONTAINERS if kind != "mov"])
def test_a_cut_file_is_partial(films, worker, tmp_path, kind, share):
    path = tmp_path / films[kind].name
    path.write_bytes(films[kind].read_bytes())
    frames, partial = index(worker, media.truncated(path, share))
    assert frames >= 1
    assert partial


@pytest.mark.parametrize("sampler", ["every=1", "count=4"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_cut_at_any_place_is_partial_by_any_sampler(films, worker, tmp_path, kind, sampler):
    if kind == "mov":
        pytest.skip("its list of packets lies at the end: nothing of it can be read")
    path = tmp_path / films[kind].name
    content = films[kind].read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10 + 11])
    assert index(worker, path, sampler)[1]


@pytest.mark.parametrize("at", [0.5, 0.97])
@pytest.mark.parametrize("data", [bytes(HOLE), random.Random(2).randbytes(HOLE)], ids=["0", "?"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_file_with_a_hole_is_partial(films, worker, tmp_path, kind, at, data):
    frames, partial = index(worker, with_hole(films[kind], tmp_path / f"f.{kind}", at, data))
    assert frames >= 1
    assert partial


def test_a_small_hole_in_a_wmv_is_partial(films, worker, tmp_path):
    path = with_hole(films["wmv"], tmp_path / "film.wmv", 0.45, bytes(2**14))
    assert index(worker, path)[1]


@pytest.mark.parametrize("kind", ["mkv", "webm"])
def test_no_frame_stands_where_a_file_is_cut(films, worker, tmp_path, kind):
    path = tmp_path / films[kind].name
    content = films[kind].read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    frames, partial = index(worker, path)
    assert partial
    assert frames <= 4


def test_a_recording_that_ends_in_the_middle_of_a_frame_says_so(films, worker, tmp_path):
    """As recorders and parts of DVDs do: no more is damaged than the last picture."""
    path = tmp_path / "film.mpg"
    content = films["mpg"].read_bytes()
    path.write_bytes(content[: len(content) // 2 // 2048 * 2048])
    assert index(worker, path)[1] in (None, "the file ends in the middle of a frame")


@pytest.mark.parametrize("kind", ["mp4", "mov", "flv", "wmv"])
def test_a_second_video_that_ffmpeg_does_not_read_is_told(films, worker, tmp_path, kind):
    path = tmp_path / films[kind].name
    content = films[kind].read_bytes()
    path.write_bytes(content * 2)
    frames, partial = index(worker, path)
    assert frames == index(worker, films[kind])[0]
    assert f"another video follows after {len(content):,} of {2 * len(content):,} bytes" in partial


def test_a_whole_flv_whose_clock_wraps_is_not_partial(films, worker, tmp_path):
    """Its 32 bits of milliseconds wrap after 49 days: FFmpeg lets such a file start before zero."""
    content = bytearray(films["flv"].read_bytes())
    at = 13
    while at < len(content):
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        stamp = int.from_bytes(content[at + 4 : at + 7], "big") + (content[at + 7] << 24)
        if content[at] == 9:
            stamp = (stamp - 3000) % 2**32
        content[at + 4 : at + 8] = (stamp % 2**24).to_bytes(3, "big") + bytes([stamp >> 24])
        at += 15 + size
    path = tmp_path / "film.flv"
    path.write_bytes(content)
    assert index(worker, path) == index(worker, films["flv"])
