"""Boxes from maps of probabilities, and the lines that the network finds."""

import numpy as np
import pytest

from framefind.words.screen.detector import MAX_LINES, detect_lines, find_lines, input_size
from media import BLACK, plain, sign


def core_map(*cores, certainty=0.9):
    """A map of probabilities with cores, each as left, top, right, bottom."""
    values = np.zeros((256, 448), np.float32)
    for left, top, right, bottom in cores:
        values[top:bottom, left:right] = certainty
    return values


def bounds(corners):
    return (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


def test_a_core_grows_by_its_area_over_its_outline():
    (line,) = find_lines(core_map((100, 50, 200, 60)))
    margin = 1.2 * 1000 / 220
    expected = (100 - margin, 50 - margin, 200 + margin, 60 + margin)
    assert bounds(line) == pytest.approx(expected)


@pytest.mark.parametrize(
    "values",
    [
        core_map(),
        core_map((100, 50, 200, 52)),  # too thin
        core_map((100, 50, 130, 80)),  # no line
        core_map((100, 50, 200, 60), certainty=0.4),
    ],
)
def test_what_is_no_line_is_left_out(values):
    assert find_lines(values) == []


def test_thousands_of_lines_are_bounded():
    cores = [(x, y, x + 8, y + 3) for y in range(0, 250, 5) for x in range(0, 440, 10)]
    assert len(cores) > 2000
    assert len(find_lines(core_map(*cores))) == MAX_LINES


def test_a_map_of_noise_takes_no_time_and_gives_few_lines():
    noise = np.random.default_rng(0).random((256, 448), np.float32)
    assert len(find_lines(noise)) <= 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), (448, 256)),
        ((1080, 1920), (256, 448)),
        ((640, 480), (384, 288)),
        ((1, 1), (352, 352)),
        ((1, 10000), (32, 960)),
    ],
)
def test_the_size_keeps_the_shape_within_the_strides_of_the_network(size, expected):
    assert input_size(*size) == expected


def test_the_line_of_a_sign_is_found():
    (line,) = detect_lines(sign("Laundromat", (448, 256), em=20, at=(100, 60)))
    left, top, right, bottom = bounds(line)
    assert 85 < left < 102 < 190 < right < 225
    assert 55 < top < 68 < 78 < bottom < 90


def test_a_black_picture_has_no_line():
    assert detect_lines(plain(BLACK, (448, 256))) == []
