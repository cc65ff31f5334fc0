"""Text tracks inside a file: every codec, several languages, the container's clock."""

from pathlib import Path

import av
import pytest

from framefind.errors import VideoError
from framefind.types import Cue
from framefind.words.tracks import read_tracks
from media import film, sound, with_tracks

ODD = Path("../shared/data/videos/odd/androidx+media/libraries/test_data/src/test/assets/media/mkv")


NO_DELAY = {"options": {"bf": "0"}}
VIDEO_OF = {"mkv": NO_DELAY, "mp4": NO_DELAY, "webm": {"codec": "libvpx"}}


def mov(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


@pytest.mark.parametrize(
    ("suffix", "codec", "packet", "text"),
    [
        ("mkv", "subrip", b"<i>Where</i> is the\r\nlaundromat?", "Where is the\nlaundromat?"),
        ("mp4", "mov_text", mov("Où est la laverie\u202f?"), "Où est la laverie ?"),
        ("mkv", "ass", rb"0,0,Default,,0,0,0,,{\an8\i1}Where{\i0} is\Nit?", "Where is\nit?"),
        ("mkv", "ass", rb"0,0,Default,,0,0,0,,{\p1}m 0 0 l 9 9{\p0}", ""),
        ("mkv", "webvtt", b"<v Anna>Here &amp; <c.loud>there</c>", "Here & there"),
        ("webm", "webvtt", "مرحبا\u202b".encode(), "مرحبا"),
    ],
)
def test_each_codec_of_text(
    tmp_path: Path, suffix: str, codec: str, packet: bytes, text: str
) -> None:
    plain = film(tmp_path / f"plain.{suffix}", **VIDEO_OF[suffix])
    path = with_tracks(plain, tmp_path / f"a.{suffix}", {"fre": [(0.5, 1.25, packet)]}, codec)
    cue = Cue(0.5, 1.25, text, "subtitles", "fr")
    assert list(read_tracks(path)) == ([cue] if text else [])


def test_several_languages_come_in_the_order_of_time(tmp_path: Path) -> None:
    tracks = {"eng": [(0.2, 0.9, b"one"), (1.0, 1.5, b"two")], "und": [(0.6, 0.8, b"eins")]}
    path = with_tracks(film(tmp_path / "a.mkv", **NO_DELAY), tmp_path / "b.mkv", tracks)
    cues = [(cue.start, cue.text, cue.language) for cue in read_tracks(path)]
    assert cues == [(0.2, "one", "en"), (0.6, "eins", ""), (1.0, "two", "en")]


def test_times_count_from_the_start_of_the_container(tmp_path: Path) -> None:
    late = film(tmp_path / "a.mkv", times=[5 + i / 10 for i in range(20)], **NO_DELAY)
    path = with_tracks(late, tmp_path / "b.mkv", {"eng": [(5.5, 6.0, b"half a second in")]})
    with av.open(path) as container:
        assert container.start_time == 5_000_000
    (cue,) = read_tracks(path)
    assert (cue.start, cue.end) == (0.5, 1.0)


def test_a_video_without_text_tracks_and_a_file_without_video(tmp_path: Path) -> None:
    assert list(read_tracks(film(tmp_path / "a.mp4"))) == []
    with pytest.raises(VideoError, match="No such file"):
        list(read_tracks(tmp_path / "missing.mp4"))
    assert list(read_tracks(sound(tmp_path / "a.m4a"))) == []


@pytest.mark.skipif(not ODD.exists(), reason="the shared videos are not here")
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("sample_with_srt.mkv", ["This is the first subtitle."]),
        ("sample_with_ssa_subtitles.mkv", ["This is the first subtitle."]),
        ("sample_with_vtt_subtitles.mkv", ["This is the first subtitle."]),
        ("sample_with_null_terminated_srt.mkv", ["This is the first"]),
        ("sample_with_null_terminated_ssa_subtitles.mkv", ["This is the first"]),
        ("sample_with_pgs_subtitles.mkv", []),
    ],
)
def test_files_of_other_writers(name: str, texts: list[str]) -> None:
    assert [cue.text for cue in read_tracks(ODD / name)] == texts
