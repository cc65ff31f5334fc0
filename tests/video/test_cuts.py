"""Cuts, found among decoded frames: in whole videos and in spans of them."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import framefind
import media
from framefind.video.cuts import CutFinder
from framefind.video.process import DecoderProcess


@dataclass
class Flat:
    """A frame of one grey."""

    t: float
    level: int
    is_keyframe: bool = False

    def look(self) -> NDArray[np.uint8]:
        return np.full((4, 4, 3), self.level, np.uint8)


def find(*levels: int, step: float = 0.1) -> list[float]:
    finder = CutFinder()
    for at, level in enumerate(levels):
        finder.add(Flat(round(at * step, 6), level))
    return finder.finish()


def test_a_lasting_change_is_a_cut_and_a_flash_or_a_slow_change_is_none() -> None:
    assert find(*[10] * 8, *[200] * 8) == [0.8]
    assert find(*[10] * 8, 200, *[10] * 8) == []
    assert find(*range(0, 250, 20)) == []
    assert find(10) == []


def test_the_last_frame_may_begin_a_shot() -> None:
    assert find(*[10] * 8, 200) == [0.8]


def test_after_frames_that_were_not_decoded_a_change_is_enough() -> None:
    assert find(0, 20, 200, 200, 0, step=5.0) == [10.0, 20.0]
    assert find(0, 20, 40, 60, step=0.2) == []


def test_what_moves_while_frames_are_not_decoded_is_no_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (5, 3))
    wide = np.kron(colours[rng.integers(0, 5, (6, 20))], np.ones((16, 16, 1))).astype(np.uint8)
    pan = [wide[:, 4 * at : 4 * at + 160] for at in range(40)]
    other = np.kron(rng.integers(0, 255, (6, 10, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    path = media.film(
        tmp_path / "pan.mp4",
        size=(160, 96),
        fps=4,
        pictures=[*pan, *[other] * 8],
        options={"g": "4", "sc_threshold": "0", "bf": "0"},
    )
    worker = DecoderProcess()
    try:
        assert read_cuts(worker, path, 0.0, np.inf) == [10.0]
    finally:
        worker.close()


def test_cuts_are_told_as_they_are_found() -> None:
    finder = CutFinder()
    told = []
    for at, level in enumerate([10] * 5 + [200] * 5 + [10] * 5):
        finder.add(Flat(at / 5, level))
        told.append(finder.take())
    assert [cuts for cuts in told if cuts] == [[1.0], [2.0]]
    assert finder.finish() == []


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds in three shots; a keyframe every two seconds, as the second shot begins, too."""
    path = tmp_path_factory.mktemp("cuts") / "film.mp4"
    lengths = {media.RED: 40, media.GREEN: 13, media.BLUE: 67}
    pictures = [
        np.full((48, 64, 3), colour, np.uint8)
        for colour, count in lengths.items()
        for _ in range(count)
    ]
    media.film(path, size=(64, 48), fps=20, pictures=pictures, options={"g": "40", "bf": "2"})
    return path


def read_cuts(worker: DecoderProcess, path: Path, *borders: float) -> list[float]:
    """The cuts that spans of a video tell, between these times."""
    cuts: list[float] = []
    for start, end in pairwise(borders):
        worker.open(str(path))
        for frame in worker.frames("every=1.0", "whole", 32, start, end=end):
            cuts += frame.cuts
        cuts += worker.last_cuts
    return cuts


def test_spans_find_the_cuts_of_the_whole(film: Path) -> None:
    worker = DecoderProcess()
    try:
        whole = read_cuts(worker, film, 0.0, np.inf)
        assert whole == pytest.approx([2.0, 2.65], abs=0.11)
        assert read_cuts(worker, film, 0.0, 2.0, 4.0, np.inf) == whole
    finally:
        worker.close()


def test_a_library_keeps_them_and_moments_end_there(film: Path, tmp_path: Path) -> None:
    library = framefind.open(tmp_path / "l.framefind")
    library.index(film, views="whole")
    (row,) = library.videos()
    assert row.cuts == pytest.approx([2.0, 2.65], abs=0.11)
    moment = library.search(image=f"{film}@5.0", limit=1)[0]
    assert (moment.start, moment.end) == (row.cuts[1], 6.0)
