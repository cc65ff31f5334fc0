"""Huge pictures are decoded by one decoder at a time."""

import framefind
import media
from framefind.indexing import decoders


def test_several_huge_videos_are_indexed_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "HUGE", 64 * 48 - 1)
    folder = tmp_path / "films"
    folder.mkdir()
    for at, colour in enumerate((media.RED, media.GREEN, media.BLUE, media.WHITE)):
        media.film(folder / f"{at}.mp4", 3, colours=[colour])
    report = framefind.open(tmp_path / "library").index(folder, views="whole")
    assert len(report.indexed) == 4
    assert report.frames == 12
