"""Loops run over what a file holds, not over what it claims."""

import struct
from pathlib import Path

import pytest

import media
from framefind.errors import VideoError
from framefind.video import Video
from framefind.video.samplers import Sampler
from framefind.video.worker import Worker

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
        assert len(list(video.frames(Sampler.parse("every=1")))) in (4, 5)
        assert video.partial
        assert "0:04" in video.partial


@pytest.mark.parametrize("sampler", ["every=1", "count=3", "keyframes", "shots"])
def test_every_sampler_ends_with_the_frames_that_are_there(tmp_path, sampler):
    worker = Worker()
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
