import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.video.views import WHOLE, DuplicateDetector, Views, find_content

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
        cut, boxes = views.cut(painted, width, height, 32)
        assert boxes == views.boxes(width, height)
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


def letterboxed(width: int, height: int) -> NDArray[np.uint8]:
    """A painted picture between bars of an eighth of the height, seen at that size."""
    picture = np.full((800, 1000, 3), 3, np.uint8)
    picture[100:700] = painted(1000, 600) // 2 + 100
    rows = ((np.arange(height) + 0.5) * 800 / height).astype(int)
    columns = ((np.arange(width) + 0.5) * 1000 / width).astype(int)
    return picture[rows][:, columns]


class TestBars:
    @pytest.mark.parametrize("name", ["whole", "tiles"])
    @pytest.mark.parametrize("turned", [False, True])
    def test_are_in_no_view(self, name, turned):
        def scale(width: int, height: int) -> NDArray[np.uint8]:
            return (
                letterboxed(height, width).swapaxes(0, 1) if turned else letterboxed(width, height)
            )

        views = Views.parse(name)
        width, height = (800, 1000) if turned else (1000, 800)
        cut, boxes = views.cut(scale, width, height, 96)
        assert len(cut) == len(boxes) == (1 if name == "whole" else 1 + 2)
        assert cut.max(axis=3).min() >= 100
        content = (0.0, 0.125, 1.0, 0.75)
        if turned:
            content = (0.125, 0.0, 0.75, 1.0)
        assert boxes[0] == pytest.approx(content, abs=0.02)
        for x, y, w, h in boxes:
            assert x >= content[0] - 0.02
            assert y >= content[1] - 0.02
            assert x + w <= content[0] + content[2] + 0.02
            assert y + h <= content[1] + content[3] + 0.02

    def test_stay_in_patches(self):
        cut, boxes = Views.parse("400/200").cut(letterboxed, 1000, 800, 64)
        assert boxes == Views.parse("400/200").boxes(1000, 800)
        assert cut.max(axis=3).min() < 10

    @given(
        bar=st.floats(0.04, 0.37),
        size=st.sampled_from([64, 192, 224]),
        turned=st.booleans(),
        noise=st.integers(0, 20),
    )
    def test_of_any_width_are_found(self, bar, size, turned, noise):
        picture = np.full((size, size, 3), 150, np.uint8)
        rows = round(bar * size)
        picture[:rows] = picture[size - rows :] = noise
        x, y, w, h = find_content(picture.swapaxes(0, 1) if turned else picture)
        assert (x, y) == pytest.approx((rows / size, 0) if turned else (0, rows / size))
        assert (x + w / 2, y + h / 2) == pytest.approx((0.5, 0.5))

    @pytest.mark.parametrize(
        ("rows", "columns"),
        [
            (slice(0, 100), slice(0, 100)),  # no bars
            (slice(2, 98), slice(0, 100)),  # an edge
            (slice(10, 100), slice(0, 100)),  # one only
            (slice(10, 70), slice(0, 100)),  # of two widths
            (slice(10, 90), slice(10, 90)),  # all around, as of a title
            (slice(45, 55), slice(0, 100)),  # a line
            (slice(0, 0), slice(0, 0)),  # nothing but black
        ],
    )
    def test_are_nothing_else(self, rows, columns):
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[rows, columns] = 200
        assert find_content(picture) == WHOLE

    def test_are_no_part_of_a_dark_scene(self):
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[20:80, 40:55] = 220  # somebody in a spotlight
        picture[20:80, ::9] = 60
        assert find_content(picture) == WHOLE


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
