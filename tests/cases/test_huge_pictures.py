"""Huge pictures are decoded by one decoder at a time, in bounded memory."""

from pathlib import Path

import numpy as np
import pytest

import framefind
import media
from framefind.indexing import decoders
from framefind.video.process import DecoderProcess


def test_several_huge_videos_are_indexed_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_SHARED_PIXELS", 64 * 48 - 1)
    folder = tmp_path / "films"
    folder.mkdir()
    for at, colour in enumerate((media.RED, media.GREEN, media.BLUE, media.WHITE)):
        media.film(folder / f"{at}.mp4", 3, colours=[colour])
    report = framefind.open(tmp_path / "library").index(folder, views="whole")
    assert len(report.indexed) == 4
    assert report.frames == 12


def test_a_decoder_of_the_hugest_pictures_stays_small(tmp_path):
    size = 8192, 8192
    shown = [np.zeros((*size, 3), np.uint8)] * 2
    path = tmp_path / "film.mov"
    media.film(path, size=size, fps=1, pictures=shown, codec="mjpeg", pix_fmt="yuvj420p")
    worker = DecoderProcess()
    try:
        worker.open(str(path))
        assert len(list(worker.frames("every=1", "whole", 32, threads=2))) == 2
        assert worker._child
        most = largest(worker._child._process.pid)
    finally:
        worker.close()
    assert most < 900  # megabytes; four pictures of three bytes a pixel take 805


def largest(process: int) -> float:
    """The most memory that a process has had, in megabytes."""
    try:
        lines = Path("/proc", str(process), "status").read_text("ascii").splitlines()
    except OSError:
        pytest.skip("no /proc to read it from")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
