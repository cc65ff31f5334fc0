"""Huge pictures are decoded by one decoder at a time, and by few threads."""

import av
import pytest

import framefind
import media
from framefind.indexing import decoders
from framefind.processes import cores
from framefind.video.bounds import bound


def test_several_huge_videos_are_indexed_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "HUGE", 64 * 48 - 1)
    folder = tmp_path / "films"
    folder.mkdir()
    for at, colour in enumerate((media.RED, media.GREEN, media.BLUE, media.WHITE)):
        media.film(folder / f"{at}.mp4", 3, colours=[colour])
    report = framefind.open(tmp_path / "library").index(folder, views="whole")
    assert len(report.indexed) == 4
    assert report.frames == 12


@pytest.mark.parametrize("size", [(64, 48), (1280, 720), (4096, 4096)])
def test_a_decoder_has_no_more_threads_than_there_are_cores(tmp_path, size):
    path = media.film(tmp_path / "film.avi", 0.1, size, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        bound(str(path), context, 0)
        assert context.thread_count == min(cores(), max(1, 2**25 // (size[0] * size[1])))
        bound(str(path), context, 1)
        assert context.thread_count == 1
