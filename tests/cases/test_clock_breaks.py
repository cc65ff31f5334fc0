"""A clock that begins again or jumps inside a file: times go on rising, and all is reachable."""

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import framefind
import media
from framefind.server.playback import remux, transcode
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler

FORMATS = {
    "ts": ("mpegts", "libx264", {}),
    "vob": ("vob", "mpeg2video", {}),
    "webm": ("webm", "libvpx", {"live": "1"}),
    "mkv": ("matroska", "libx264", {}),
    "mp4": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
}
LEVELS = [30 + 4 * i for i in range(50)]  # of the pictures, two parts of 25


def joined(
    folder: Path, suffix: str, begins: Sequence[float] = (0.0, 0.0), sound: str | None = None
) -> Path:
    """A file of several parts of 5 s, 25 pictures each, whose clocks begin at these seconds."""
    form, codec, options = FORMATS[suffix]
    options = options | ({"max_delay": "500000"} if sound else {})  # so much sound lies together
    data = b""
    for number, begin in enumerate(begins):
        part = folder / f"part.{suffix}"
        with av.open(part, "w", format=form, options=options) as container:
            stream = container.add_stream(codec, rate=25 if suffix == "vob" else 5)
            assert isinstance(stream, av.VideoStream)
            stream.width = 64
            stream.height = 48
            stream.pix_fmt = "yuv420p"
            stream.gop_size = 10
            base = Fraction(1, 1000)
            stream.codec_context.time_base = Fraction(1, 25) if suffix == "vob" else base
            voice = container.add_stream(sound, rate=48000, layout="mono") if sound else None
            for i in range(25):
                level = LEVELS[(25 * number + i) % 50]
                frame = av.VideoFrame.from_ndarray(media.plain((level,) * 3), "rgb24")
                step = 1 if suffix == "vob" else 5
                for again in range(5 // step):
                    t = begin + i / 5 + again / 25
                    frame.pts = round(t * 1000)
                    frame.time_base = base
                    if suffix == "vob":
                        frame.pts = round(t * 25)
                        frame.time_base = Fraction(1, 25)
                    container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            for i in range(234 if voice else 0):
                assert isinstance(voice, av.AudioStream)
                tone = np.sin(np.arange(1024 * i, 1024 * (i + 1)) / 20)[None] * (number + 1) / 4
                heard = av.AudioFrame.from_ndarray(tone.astype(np.float32), "fltp", "mono")
                heard.sample_rate = 48000
                heard.time_base = Fraction(1, 48000)
                heard.pts = round(begin * 48000) + i * 1024
                container.mux(voice.encode(heard))
            if voice:
                container.mux(voice.encode(None))
        data += part.read_bytes()
        part.unlink()
    path = folder / f"joined.{suffix}"
    path.write_bytes(data)
    return path


def sampled(path: Path, sampler: str) -> list[tuple[float, int]]:
    with Video(path) as video:
        return [
            (frame.t, int(frame.scale(4, 4)[2, 2, 0]))
            for frame in video.frames(parse_sampler(sampler))
        ]


BROKEN = [(suffix, (0.0, 0.0)) for suffix in FORMATS]
BROKEN += [("ts", (0.0, 72000.0)), ("ts", (90000.0, 0.0)), ("vob", (0.0, 20000.0)),
           ("ts", (0.0, 0.0, 0.0)), ("ts", (95440.0, 0.0))]  # fmt: skip


@pytest.mark.parametrize(("suffix", "begins"), BROKEN)
def test_times_go_on_rising_and_every_picture_is_reachable(
    tmp_path: Path, suffix: str, begins: tuple[float, ...]
) -> None:
    path = joined(tmp_path, suffix, begins)
    length = 5.0 * len(begins)
    every = sampled(path, "every=1")
    times = [t for t, _ in every]
    assert times == sorted(set(times))
    assert len(times) == length
    assert times[-1] == pytest.approx(length - 1, abs=0.3)
    for t, level in every:
        wanted = LEVELS[int((t + 0.001) * 5) % 50]
        assert abs(level - wanted) < 14, t
        assert abs(int(framefind.frame(path, t)[20, 20, 0]) - level) < 4
    assert len(sampled(path, "count=10")) == 10
    assert sampled(path, "count=10")[-1][0] > length - 1
    with Video(path) as video:
        list(video.frames(parse_sampler("every=1")))
        assert video.duration == pytest.approx(length, abs=0.1)
        starts = [frame.t for frame in video.frames(parse_sampler("every=1"), 5.0)]
        assert starts == [t for t in times if t >= 5.0]


@pytest.mark.parametrize(("suffix", "begins"), BROKEN)
def test_clips_and_streams_show_what_is_indexed(
    tmp_path: Path, suffix: str, begins: tuple[float, ...]
) -> None:
    path = joined(tmp_path, suffix, begins)
    target = tmp_path / "clip.mp4"
    length = 5.0 * len(begins)
    size = path.stat().st_size
    for _ in transcode.write_clip(str(path), size, 3.0, 7.0, str(target), length):
        pass
    assert _levels(target)[0] == pytest.approx(4.0, abs=0.05)
    shown = _levels(target)[1]
    assert abs(shown[0] - LEVELS[15]) < 14
    assert abs(shown[-1] - LEVELS[34]) < 14
    target.write_bytes(b"".join(transcode.transcode_stream(str(path), size, 6.0, length)))
    assert abs(_levels(target)[1][0] - LEVELS[30]) < 14


@pytest.mark.parametrize("sound", ["ac3", "aac"])  # of AAC, several frames lie together
def test_sound_follows(tmp_path: Path, sound: str) -> None:
    path = joined(tmp_path, "ts", (100.0, 0.0), sound)
    target = tmp_path / "clip.mp4"
    for _ in transcode.write_clip(str(path), path.stat().st_size, 3.0, 7.0, str(target), 10.0):
        pass
    with av.open(target) as container:
        heard = [np.abs(frame.to_ndarray()).mean() for frame in container.decode(audio=0)]
    assert len(heard) * 1024 / 48000 == pytest.approx(4.0, abs=0.2)
    assert np.mean(heard[:80]) * 1.5 < np.mean(heard[-80:])  # the second part is louder


def test_parts_that_overlap_a_little_can_be_streamed(tmp_path: Path) -> None:
    path = joined(tmp_path, "ts", (0.0, 4.9))
    copied = tmp_path / "copied.mp4"
    copied.write_bytes(b"".join(remux.remux_stream(str(path), path.stat().st_size, 0.0, False)))
    assert len(_levels(copied)[1]) == 50


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_a_page_that_stands_is_no_jump(tmp_path: Path, suffix: str) -> None:
    form, _, options = FORMATS[suffix]
    path = media.film(
        tmp_path / f"page.{suffix}",
        times=[0.0, 0.2, 900.0, 900.2],
        container_format=form,
        container_options=options,
    )
    assert sampled(path, "every=0.1")[-1][0] == pytest.approx(900.2, abs=0.01)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_a_page_that_stands_is_counted_where_frames_are_reordered(
    tmp_path: Path, suffix: str
) -> None:
    times = [at + i / 10 for at in (0.0, 60.0, 200.0, 299.0) for i in range(10)]
    path = media.film(tmp_path / f"screen.{suffix}", times=times, options={"bf": "3"})
    with Video(path) as video:
        shown = [frame.t for frame in video.frames(parse_sampler("every=1"))]
        assert shown[-1] == pytest.approx(299.0 if suffix in ("mp4", "ts") else shown[-1], abs=0.01)
        assert video.duration
        assert 299.9 <= video.duration < 310


@pytest.mark.parametrize("seconds", [2, 30])  # FFmpeg looks ahead for streams, but not for ever
def test_pictures_that_go_on_in_another_stream_are_missed(tmp_path: Path, seconds: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    pictures = [np.roll(noise, 7 * i, axis=1) for i in range(10 * seconds)]
    parts = [
        media.film(
            tmp_path / f"{number}.ts",
            pictures=pictures,
            size=(320, 240),
            options={"preset": "ultrafast", "qp": "10"},
            container_options={"mpegts_start_pid": str(pid), "mpegts_pmt_start_pid": str(pid - 50)},
        ).read_bytes()
        for number, pid in enumerate((256, 512))
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    with Video(path) as video:
        frames = list(video.frames(parse_sampler("every=1")))
        assert len(frames) == seconds
        assert video.partial == "it goes on in another stream: convert it with ffmpeg"


def test_a_file_that_goes_on_lasts_for_longer(tmp_path: Path) -> None:
    part = media.film(tmp_path / "part.avi", 5, codec="mpeg4").read_bytes()
    path = tmp_path / "joined.avi"
    path.write_bytes(part + part)
    with Video(path) as video:
        assert [frame.t for frame in video.frames(parse_sampler("every=1"))][-1] == 9.0
        assert video.duration == pytest.approx(10.0)


def test_the_library_knows_how_long_it_is(tmp_path: Path) -> None:
    path = joined(tmp_path, "ts")
    library = framefind.open(tmp_path / "l.framefind")
    library.index(path)
    (row,) = library.videos()
    assert row.duration == pytest.approx(10.0)
    assert row.frames == 10
    assert row.status == "indexed"


def _levels(path: Path) -> tuple[float, list[int]]:
    """The length of a video in seconds, and the brightness of its pictures."""
    with av.open(path) as container:
        levels = [
            int(frame.to_ndarray(format="rgb24")[20, 20, 0]) for frame in container.decode(video=0)
        ]
    with Video(path) as video:
        list(video.frames(parse_sampler("every=9")))
        return video.duration or 0.0, levels


def test_a_decoder_that_still_works_at_hidden_pictures_can_be_closed(tmp_path: Path) -> None:
    path = joined(tmp_path, "mp4")
    shown = f"frame({str(path)!r}, 5 + at % 40 / 10)"
    code = f"from framefind.video.shown import frame\nfor at in range(200): {shown}"
    # In a process of its own: one that waits for its own thread cannot be interrupted.
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
