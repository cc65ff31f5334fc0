import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.video.views import WHOLE, DuplicateDetector, Views

sides = st.integers(1, 5000)


def painted(width: int, height: int) -> NDArray[np.uint8]:
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([x * 255, y * 255, x * 0], -1).round().astype(np.uint8)


class TestParse:
    @pytest.mark.parametrize("name", ["whole", "tiles", "360/180"])
    def test_gives_its_own_name(self, name):
        assert Views.parse(name).name == name

    @pytest.mark.parametrize("name", ["", "half", "360", "0/1", "1/0", "-1/1", "1/1/1", "1.5/1"])
    def test_refuses(self, name):
        with pytest.raises(ValueError, match="use whole, tiles or SIZE/STEP"):
            Views.parse(name)


class TestBoxes:
    @given(sides, sides, st.sampled_from(["whole", "tiles"]))
    def test_lie_in_the_frame_and_begin_with_the_whole(self, width, height, name):
        boxes = Views.parse(name).boxes(width, height)
        assert boxes[0] == WHOLE
        for x, y, w, h in boxes:
            assert min(x, y) >= 0
            assert min(w, h) > 0
            assert max(x + w, y + h) <= 1 + 1e-9

    @given(sides, sides)
    def test_tiles_are_squares_of_the_short_side_over_all_of_the_frame(self, width, height):
        _, *tiles = Views.parse("tiles").boxes(width, height)
        short, long = sorted((width, height))
        assert len(tiles) == math.ceil(1.5 * (long / short - 1)) + 1
        for _, _, w, h in tiles:
            assert w * width == pytest.approx(short)
            assert h * height == pytest.approx(short)
        along = 0 if width >= height else 1
        assert tiles[0][along] == 0
        if len(tiles) > 1:
            assert tiles[-1][along] + tiles[-1][along + 2] == pytest.approx(1)

    def test_counts_of_the_design(self):
        assert len(Views.parse("tiles").boxes(1920, 1080)) == 1 + 3
        assert len(Views.parse("tiles").boxes(500, 500)) == 1 + 1
        boxes = Views.parse("360/180").boxes(1280, 720)
        assert len(boxes) == 3 * 6
        assert boxes[0] == (0, 0, 360 / 1280, 0.5)
        assert boxes[1] == (180 / 1280, 0, 360 / 1280, 0.5)
        assert boxes[6] == (0, 0.25, 360 / 1280, 0.5)

    @given(sides, sides, st.integers(1, 3000), st.integers(50, 3000))
    def test_patches_of_any_frame(self, width, height, side, step):
        boxes = Views.parse(f"{side}/{step}").boxes(width, height)
        assert boxes
        for x, y, w, h in boxes:
            assert w * width == pytest.approx(min(side, width, height))
            assert max(x + w, y + h) <= 1 + 1e-9
            assert (h, y) >= (0, 0)


class TestCut:
    @pytest.mark.parametrize("name", ["whole", "tiles", "60/40", "500/10"])
    @pytest.mark.parametrize(("width", "height"), [(160, 90), (90, 160), (100, 100), (161, 37)])
    def test_shows_what_the_boxes_say(self, name, width, height):
        views = Views.parse(name)
        cut = views.cut(painted, width, height, 32)
        boxes = views.boxes(width, height)
        assert (cut.shape, cut.dtype) == ((len(boxes), 32, 32, 3), np.uint8)
        for view, (x, y, w, h) in zip(cut, boxes, strict=True):
            red, green, _ = view.mean(axis=(0, 1)) / 255
            assert red == pytest.approx(x + w / 2, abs=0.03)
            assert green == pytest.approx(y + h / 2, abs=0.03)

    def test_scales_at_most_twice(self):
        asked: list[tuple[int, int]] = []

        def scale(width: int, height: int) -> NDArray[np.uint8]:
            asked.append((width, height))
            return painted(width, height)

        Views.parse("tiles").cut(scale, 1920, 1080, 112)
        assert sorted(asked) == [(112, 112), (199, 112)]
        asked.clear()
        Views.parse("360/180").cut(scale, 1280, 720, 100)
        assert asked == [(356, 200)]


def look(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, 64, 64, 3), np.uint8)


def test_likeness_is_with_the_last_frame_that_was_new() -> None:
    detector = DuplicateDetector(6.0)
    picture = look() // 2
    assert not detector.is_duplicate(picture)
    assert detector.is_duplicate(picture)
    assert detector.is_duplicate(picture + 5)
    assert not detector.is_duplicate(picture + 10)  # small changes add up
    assert detector.is_duplicate(picture + 10)
    assert not detector.is_duplicate(look(1))
    assert not detector.is_duplicate(look(1)[:1])


def test_a_small_thing_that_moves_is_a_change() -> None:
    picture = np.full((1, 64, 64, 3), 100, np.uint8)
    moved = picture.copy()
    moved[0, 30:34, 30:34] = 255
    detector = DuplicateDetector(6.0)
    assert not detector.is_duplicate(picture)
    assert not detector.is_duplicate(moved)
