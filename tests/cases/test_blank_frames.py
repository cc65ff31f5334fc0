"""Black lead-ins and fades were among the first answers to anything at all."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framefind
from conftest import scene, write_clip
from framefind.models.blank import are_blank

NOUNS = [
    *("a dog", "a cat", "a car", "a tree", "a person", "a boat", "a train", "a flower", "a house"),
    *("a beach", "a mountain", "snow", "fire", "the sky", "the moon", "night", "a book", "a phone"),
    *("a chair", "food", "a ball", "a guitar", "a crowd", "a bridge", "a forest", "an airplane"),
]


def plain(level: int, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


@pytest.fixture(scope="module")
def faded(tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """A video of two scenes between black and white, with a fade; and one of black alone."""
    folder = tmp_path_factory.mktemp("faded")
    first, second = scene(4), scene(9)
    fade = (first * 0.01).astype(np.uint8)
    shown = [plain(0), fade, first, plain(255), second, plain(16), plain(0)]
    write_clip(folder / "film.mp4", shown)
    write_clip(folder / "black.mp4", [plain(0)])
    library = framefind.open(folder / "l.framefind")
    library.index(folder)
    return library


def is_shown(moment: framefind.Moment) -> bool:
    """Whether the frame of a moment is one of the two scenes."""
    return moment.path.endswith("film.mp4") and (4 <= moment.t < 6 or 8 <= moment.t < 10)


def test_no_text_finds_a_blank_frame_first(faded: framefind.Library) -> None:
    for noun in NOUNS:
        page = faded.search(noun)
        assert is_shown(page[0]), noun
        blank = [moment for moment in page if not is_shown(moment)]
        assert all(moment.confidence < 0.05 for moment in blank), noun


def test_a_black_picture_still_finds_black_frames(faded: framefind.Library) -> None:
    file = io.BytesIO()
    Image.fromarray(plain(0)).save(file, "PNG")
    first, second, *_ = faded.search(image=file.getvalue())
    assert not is_shown(first)
    assert not is_shown(second)
    assert {Path(first.path).name, Path(second.path).name} == {"black.mp4", "film.mp4"}


def test_every_video_keeps_its_frames(faded: framefind.Library) -> None:
    assert {Path(video.path).name: video.frames for video in faded.videos()} == {
        "film.mp4": 14,
        "black.mp4": 2,
    }


def test_what_is_blank() -> None:
    rng = np.random.default_rng(0)
    noise = np.clip(plain(40, (128, 128)) + rng.normal(0, 4, (128, 128, 1)), 0, 255)
    line = plain(0, (128, 128))
    line[60:64, 20:100] = 200
    slope = np.repeat(np.linspace(30, 230, 128)[None, :, None], 128, 0) * np.ones(3)
    away = np.hypot(*np.mgrid[-1 : 1 : 128 * 1j, -1 : 1 : 128 * 1j])
    lamp = np.clip(250 - 70 * away**2, 0, 255)[..., None] * np.ones(3)
    night = np.clip(slope / 10 + rng.normal(0, 3, (128, 128, 3)), 0, 255)
    sky = slope * [0.4, 0.6, 1]
    ball = slope.copy()
    ball[away < 0.3] = 60
    faint = plain(0, (128, 128))
    faint[32:96, 32:96] = 12
    blank = [plain(0, (128, 128)), plain(255, (128, 128)), noise, slope, lamp, night]
    views = [*blank, line, faint, sky, ball]
    found = are_blank(np.stack([view.astype(np.uint8) for view in views]))
    assert found.tolist() == [True] * len(blank) + [False] * 4
    assert not are_blank(np.stack([scene(seed, 128, 128) for seed in range(20)])).any()
