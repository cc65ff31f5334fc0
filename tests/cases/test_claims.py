"""Loops run over what a file holds, not over what it claims."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

import framefind
import media
from framefind.errors import VideoError
from framefind.video.decode import Video
from framefind.video.process import DecoderProcess
from framefind.video.samplers import parse_sampler
from framefind.video.shown import frame

DURATION = b"\x44\x89\x88"  # a Matroska file's length: 8 bytes of floating point follow
YEARS = 1.8e11  # milliseconds


def claiming(path: Path) -> Path:
    """A film of four seconds that claims to last for years."""
    data = bytearray(media.film(path, 4, options={"g": "5"}).read_bytes())
    at = data.index(DURATION) + len(DURATION)
    data[at : at + 8] = struct.pack(">d", YEARS)
    path.write_bytes(data)
    return path


def test_a_video_that_claims_years_is_cut_where_it_has_keyframes(tmp_path):
    with Video(claiming(tmp_path / "film.mkv")) as video:
        assert video.facts.duration
        assert video.facts.duration > 1e8
        assert len(video.cuts(1.0)) <= 8
        assert video.cuts(30.0) == []
        assert len(list(video.frames(parse_sampler("every=1")))) in (4, 5)
        assert video.partial
        assert "0:04" in video.partial


@pytest.mark.parametrize("sampler", ["every=1", "count=3", "keyframes", "shots"])
def test_every_sampler_ends_with_the_frames_that_are_there(tmp_path, sampler):
    worker = DecoderProcess()
    worker.open(str(claiming(tmp_path / "film.mkv")))
    assert len(list(worker.frames(sampler, "whole", 32))) <= 8
    worker.close()


def test_cuts_lie_at_the_keyframes_before_their_times(tmp_path):
    options = {"g": "10", "bf": "0", "sc_threshold": "0"}
    with Video(media.film(tmp_path / "film.mp4", 8, options=options)) as video:
        assert video.cuts(2.0) == [2.0, 4.0, 6.0]
        assert video.cuts(2.5) == [2.0, 5.0]
        assert video.cuts(3.0) == [3.0, 6.0]


def test_a_codec_that_nobody_knows_is_named_as_the_reason(tmp_path):
    path = media.film(tmp_path / "film.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))
    with pytest.raises(VideoError, match="film.mp4: FFmpeg has no decoder for its codec"):
        Video(path)


@pytest.mark.parametrize("sampler", ["every=1", "count=3", "keyframes", "shots"])
def test_a_library_counts_the_seconds_that_are_there(tmp_path, sampler):
    path = claiming(tmp_path / "film.mkv")
    library = framefind.open(tmp_path / "library")
    report = library.index(path, sampler=sampler, views="whole")
    (row,) = library.videos()
    assert row.status == "partial"
    assert row.duration == pytest.approx(4.0, abs=0.1)
    assert report.video_seconds == pytest.approx(4.0, abs=0.1)
    assert library.status().hours == pytest.approx(4 / 3600, rel=0.05)
    assert not list(library.search("a cat", min_duration=10))
    moments = list(library.search("a cat", limit=10))
    assert moments
    assert all(moment.end <= 4.1 for moment in moments)


def test_parts_of_a_claiming_video_agree_on_its_length(tmp_path, monkeypatch):
    monkeypatch.setattr("framefind.indexing.decoders.span_seconds", lambda sampler: 1.0)
    library = framefind.open(tmp_path / "library")
    library.index(claiming(tmp_path / "film.mkv"), views="whole")
    assert library.videos()[0].duration == pytest.approx(4.0, abs=0.1)


def test_a_dry_run_expects_no_more_than_the_bytes_can_hold(tmp_path):
    path = claiming(tmp_path / "film.mkv")
    plan = framefind.open(tmp_path / "library").plan(path)
    assert plan.hours <= path.stat().st_size / 3600
    assert plan.seconds < 3600


def test_nothing_is_shown_past_the_end_that_is_there(tmp_path):
    with pytest.raises(VideoError, match="past its end at 4.0"):
        frame(claiming(tmp_path / "film.mkv"), 1e6)


def noise(path: Path, codec: str, **options: str) -> Path:
    """A film of ten seconds, of about the same size each."""
    some = np.random.default_rng(1)
    pictures = [some.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(100)]
    return media.film(path, fps=10, pictures=pictures, codec=codec, options={"g": "10", **options})


@pytest.mark.parametrize("kind", ["mkv", "mp4", "mov", "flv", "wmv", "avi", "ts", "mpg"])
def test_a_cut_video_lasts_until_where_it_is_cut(tmp_path, kind):
    codecs = {"wmv": "wmv2", "avi": "mpeg4", "mpg": "mpeg2video", "flv": "flv"}
    whole = noise(tmp_path / f"whole.{kind}", codecs.get(kind, "libx264"))
    if kind in ("mp4", "mov"):
        whole = faststart(whole)
    path = tmp_path / f"film.{kind}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    library = framefind.open(tmp_path / "library")
    library.index(path, views="whole")
    (row,) = library.videos()
    assert row.status == "partial"
    assert row.duration == pytest.approx(5.0, abs=1.0)
    assert row.duration >= row.indexed_until


def test_a_cut_inside_the_last_picture_is_seen_every_time(tmp_path):
    whole = noise(tmp_path / "whole.ts", "libx264", threads="1").read_bytes()
    path = tmp_path / "film.ts"
    path.write_bytes(whole[: 626 * 188])  # whole packets of the container, half a picture
    worker = DecoderProcess()
    for _ in range(20):  # threads of the decoder may hand a picture on before they have read it
        worker.open(str(path))
        assert list(worker.frames("every=1", "whole", 32))
        assert worker.partial
    worker.close()


def faststart(path: Path) -> Path:
    """The same film, with its list of packets at the front."""
    copy = path.with_stem("front")
    with av.open(path) as film, av.open(copy, "w", options={"movflags": "faststart"}) as made:
        stream = made.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    return copy
