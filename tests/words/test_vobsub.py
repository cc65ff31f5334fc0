"""VobSub beside a video, made from the subtitles of a real file."""

from pathlib import Path

import av
import pytest

from framefind.errors import WordsError
from framefind.words.cues import tidy_cues
from framefind.words.sidecars import Sidecars, read_sidecar
from media import damaged

ODD = Path("../shared/data/videos/odd/androidx+media/libraries/test_data/src/test/assets/media")
TEXT = "This is the first subtitle."
LENGTH = 1.228  # seconds that the subtitle itself says
PACK = b"\x00\x00\x01\xba\x44\x00"


def pair(folder: Path) -> Path:
    """Write `film.sub`, a subtitle in two languages, and `film.idx`, which shows it later."""
    if not (source := ODD / "mkv/sample_with_vobsub.mkv").exists():
        pytest.skip("the real videos are not here")
    path = folder / "film.sub"
    with av.open(str(source)) as video, av.open(str(path), "w", format="vob") as file:
        (packet,) = [packet for packet in video.demux(subtitles=0) if packet.size]
        streams = [file.add_stream_from_template(packet.stream) for _ in range(2)]
        for t, stream in enumerate(streams):
            packet.stream = stream
            packet.pts = packet.dts = 1000 * t
            file.mux(packet)
    second = path.read_bytes().index(PACK[:4], 10240)
    path.with_suffix(".idx").write_text(
        "# VobSub index file, v7 (do not modify this line!)\nsize: 1280x720\n"
        f"id: en, index: 0\ntimestamp: 00:00:01:500, filepos: 000000000\n"
        f"id: de, index: 1\ntimestamp: 00:01:00:000, filepos: {second:09x}\n"
    )
    return path


def test_a_pair_is_read_in_its_languages_at_the_times_of_its_index(tmp_path: Path) -> None:
    cues = list(tidy_cues(read_sidecar(pair(tmp_path))))
    assert [(cue.text, cue.language) for cue in cues] == [(TEXT, "en"), (TEXT, "de")]
    starts = [cue.start for cue in cues]
    assert starts == [1.5, 60.0]
    assert [cue.end for cue in cues] == pytest.approx([t + LENGTH for t in starts])


def test_a_damaged_pair_gives_what_is_whole(tmp_path: Path) -> None:
    cues = read_sidecar(damaged(pair(tmp_path), 0.75))
    assert [cue.language for cue in cues] == ["en"]


def test_an_index_without_times_is_told(tmp_path: Path) -> None:
    path = pair(tmp_path)
    path.with_suffix(".idx").write_text("nothing")
    with pytest.raises(WordsError, match="film.sub .*holds no cue"):
        list(read_sidecar(path))


def test_pictures_without_an_index_say_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "film.en.sub"
    path.write_bytes(PACK)
    with pytest.raises(WordsError, match=r"film\.en\.sub holds pictures .*put film\.en\.idx"):
        list(read_sidecar(path))


def test_a_pair_is_one_subtitle_whose_parts_are_followed(tmp_path: Path) -> None:
    path = pair(tmp_path)
    sidecars = Sidecars().find(tmp_path / "film.mp4")
    assert sidecars is not None
    assert [file.name for file in sidecars] == ["film.idx", "film.sub"]
    assert not list(read_sidecar(path.with_suffix(".idx")))
