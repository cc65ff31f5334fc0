"""Subtitles that are drawn, as real files hold them and as damaged ones do."""

import shutil
from pathlib import Path

import pytest

from framefind.types import Cue
from framefind.words.bitmaps import read_bitmaps
from framefind.words.subtitles import read_subtitles
from media import damaged, film

ODD = Path("../shared/data/videos/odd/androidx+media/libraries/test_data/src/test/assets/media")


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("mkv/sample_with_pgs_subtitles.mkv", 1.24),  # an empty subtitle ends the one before
        ("mkv/sample_with_vobsub.mkv", 1.228),
        ("mp4/sample_with_vobsub.mp4", 1.228),
    ],
)
def test_a_drawn_subtitle_is_read(name: str, end: float) -> None:
    if not (path := ODD / name).exists():
        pytest.skip("the real videos are not here")
    cue = Cue(0.0, end, "This is the first subtitle.", "subtitles", "en")
    assert list(read_bitmaps(path)) == [cue]
    assert list(read_subtitles(str(path), (), 25.0, True, pytest.fail, lambda: None)) == [cue]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_damaged_subtitle_stops_nothing(tmp_path: Path, share: float) -> None:
    if not (source := ODD / "mkv/sample_with_pgs_subtitles.mkv").exists():
        pytest.skip("the real videos are not here")
    path = damaged(Path(shutil.copy(source, tmp_path / "a.mkv")), share)
    assert len(list(read_bitmaps(path))) <= 1


def test_a_video_without_subtitles_has_none(tmp_path: Path) -> None:
    assert list(read_bitmaps(film(tmp_path / "a.mp4"))) == []
