import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import media
from framefind.errors import NotAVideoError, VideoError
from framefind.video.decode import Video
from framefind.video.identity import video_id
from framefind.video.process import DecoderProcess
from framefind.video.samplers import parse_sampler
from framefind.video.views import Views


@pytest.fixture
def film(tmp_path: Path) -> str:
    return str(media.film(tmp_path / "film.mp4", seconds=30, size=(64, 48)))


@pytest.fixture
def worker():
    worker = DecoderProcess()
    yield worker
    worker.close()


def process(worker: DecoderProcess) -> subprocess.Popen[bytes]:
    assert worker._child
    return worker._child._process


def impatient(worker: DecoderProcess) -> None:
    """Give a worker that has started less time from now on."""
    assert worker._child
    worker._child._stall = 0.8


def test_a_worker_gives_what_decoding_here_gives(worker: DecoderProcess, film: str) -> None:
    facts, identity = worker.open(film)
    sampled = list(worker.frames("every=1", "tiles", 32))
    views = Views.parse("tiles")
    with Video(film) as video:
        assert facts == video.facts
        assert identity == video_id(film)
        expected = list(video.frames(parse_sampler("every=1")))
        assert [one.t for one in sampled] == [one.t for one in expected]
        for one, other in zip(sampled, expected, strict=True):
            pixels, boxes = views.cut(other.scale, other.width, other.height, 32)
            assert one.boxes == boxes == views.boxes(other.width, other.height)
            assert one.pixels.shape == (len(one.boxes), 32, 32, 3)
            np.testing.assert_array_equal(one.pixels, pixels)
            assert one.thumbnail == other.thumbnail()
    assert worker.partial is None


def test_start_and_threads(worker: DecoderProcess, film: str) -> None:
    worker.open(film)
    for threads in (1, 2, 0):
        times = [one.t for one in worker.frames("every=5", "whole", 16, 12.0, threads)]
        assert times == [15.0, 20.0, 25.0]


def test_frames_that_look_like_the_one_before_come_without_pixels(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", seconds=6, colours=[media.RED, media.BLUE])
    worker = DecoderProcess(dedupe=6.0)
    try:
        worker.open(str(path))
        one, two = [list(worker.frames("every=1", "tiles", 32, *how)) for how in ((), (1.5,))]
    finally:
        worker.close()
    assert [frame.t for frame in one] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [len(frame.pixels) for frame in one] == [3, 0, 0, 3, 0, 0]
    assert [len(frame.boxes) for frame in one] == [3] * 6
    assert one[1].thumbnail == one[0].thumbnail != one[3].thumbnail
    assert [len(frame.pixels) for frame in two] == [3, 3, 0, 0]  # a pass begins with a new one


def test_where_the_time_went(worker: DecoderProcess, film: str) -> None:
    worker.open(film)
    list(worker.frames("every=1", "tiles", 32))
    assert worker.spent.keys() == {"probe", "decode", "scale", "send"}
    assert worker.spent["decode"] > 0
    assert worker.spent["scale"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_decoded_pictures_are_let_go(worker: DecoderProcess, tmp_path: Path) -> None:
    path = str(media.film(tmp_path / "film.mp4", seconds=20, size=(1280, 720)))
    worker.open(path)
    list(worker.frames("every=1", "tiles", 32, 0.0, 1))
    before = anonymous(process(worker).pid)
    list(worker.frames("every=0.1", "tiles", 32, 0.0, 1))  # 200 pictures of 1.4 MB
    assert anonymous(process(worker).pid) - before < 60e6


def anonymous(pid: int) -> int:
    """Bytes of memory that are a process's own."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def test_a_part(worker: DecoderProcess, film: str) -> None:
    worker.open(film)
    assert worker.cuts(10.0)
    assert [one.t for one in worker.frames("every=5", "whole", 16, 6.0, 1, 21.0)] == [10, 15, 20]
    assert list(worker.frames("every=5", "whole", 16, 6.0, 1, 7.0)) == []


def test_one_process_serves_many_files(worker: DecoderProcess, tmp_path: Path) -> None:
    seen = set()
    for i in range(3):
        worker.open(str(media.film(tmp_path / f"{i}.mp4")))
        assert len(list(worker.frames("every=1", "whole", 16))) == 2
        seen.add(process(worker).pid)
    assert len(seen) == 1


def test_errors_come_through_and_the_worker_goes_on(
    worker: DecoderProcess, film: str, tmp_path: Path
) -> None:
    text = tmp_path / "a text.txt"
    text.write_text("words " * 100)
    with pytest.raises(NotAVideoError, match=r"a text\.txt"):
        worker.open(str(text))
    with pytest.raises(VideoError, match="No such file") as error:
        worker.open(str(tmp_path / "none"))
    assert not isinstance(error.value, NotAVideoError)
    worker.open(film)
    with pytest.raises(VideoError, match="every=SECONDS"):
        list(worker.frames("nonsense", "whole", 16))
    worker.open(film)
    assert len(list(worker.frames("every=10", "whole", 16))) == 3


def test_partial_comes_through(worker: DecoderProcess, tmp_path: Path) -> None:
    path = media.film(tmp_path / "cut.mp4", codec="mjpeg", pix_fmt="yuvj420p",
                      container_options={"movflags": "faststart"})  # fmt: skip
    worker.open(str(media.truncated(path, 0.6)))
    assert list(worker.frames("every=0.1", "whole", 16))
    assert worker.partial
    worker.open(str(media.film(tmp_path / "whole.mp4")))
    assert worker.partial is None


def test_frames_may_be_abandoned(worker: DecoderProcess, film: str, tmp_path: Path) -> None:
    worker.open(film)
    frames = worker.frames("every=0.1", "tiles", 128)
    assert next(frames).t == 0.0
    frames.close()
    assert len(list(worker.frames("every=10", "whole", 16))) == 3  # the same file again
    for _ in worker.frames("every=0.1", "tiles", 128):
        break
    worker.open(str(media.film(tmp_path / "other.mp4")))
    assert len(list(worker.frames("every=1", "whole", 16))) == 2


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_crash_fails_one_file(worker: DecoderProcess, film: str, name: str) -> None:
    worker.open(film)
    frames = worker.frames("every=0.1", "tiles", 256)
    next(frames)
    os.kill(process(worker).pid, signal.Signals[name])
    with pytest.raises(VideoError, match=f"film.mp4: the decoder crashed .{name}"):
        list(frames)
    facts, _ = worker.open(film)
    assert facts.width == 64
    assert len(list(worker.frames("every=10", "whole", 16))) == 3


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_crash_between_files(worker: DecoderProcess, film: str) -> None:
    worker.open(film)
    process(worker).kill()
    process(worker).wait()
    with pytest.raises(VideoError, match="crashed"):
        worker.open(film)
    assert worker.open(film)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_hang_fails_one_file(film: str) -> None:
    worker = DecoderProcess()
    try:
        worker.open(film)
        impatient(worker)
        frames = worker.frames("every=0.1", "tiles", 256)
        next(frames)
        os.kill(process(worker).pid, signal.SIGSTOP)
        with pytest.raises(VideoError, match=r"no progress for 0\.8 s"):
            list(frames)
        assert worker.open(film)
    finally:
        worker.close()


def test_a_slow_reader_is_no_hang(film: str) -> None:
    worker = DecoderProcess()
    pause = threading.Event()
    try:
        worker.open(film)
        impatient(worker)
        frames = worker.frames("every=0.1", "tiles", 256)
        next(frames)
        pause.wait(1.0)
        assert len(list(frames)) == 299
    finally:
        worker.close()


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_ctrl_c_is_the_parents(worker: DecoderProcess, film: str) -> None:
    worker.open(film)
    os.kill(process(worker).pid, signal.SIGINT)
    assert len(list(worker.frames("every=10", "whole", 16))) == 3


def test_the_child_ends_with_its_parent(film: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "framefind.video.process_main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin
    # It is held back in the middle of a file, because nobody reads.
    request = {"sampler": "every=0.1", "views": "tiles", "size": 256, "start": 0, "threads": 1}
    child.stdin.write(
        b"".join(json.dumps(one).encode() + b"\n" for one in ({"open": film}, request))
    )
    child.stdin.close()
    assert child.wait(20) == 0


def test_closing_leaves_nothing(film: str) -> None:
    worker = DecoderProcess()
    worker.open(film)
    child = process(worker)
    worker.close()
    assert child.returncode is not None
    worker.close()
    assert worker.open(film)  # it starts again when it is needed
    worker.close()


def test_the_child_is_light() -> None:
    """A worker must start fast."""
    code = "import sys, framefind.video.process_main; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"onnxruntime", "pyarrow", "deltalake", "typer", "rich", "tokenizers"}
    assert not heavy & set(out.stdout.split())


def test_nothing_in_the_working_folder_is_imported(
    film: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    worker = DecoderProcess()
    try:
        assert worker.open(film)
    finally:
        worker.close()
