"""Connected regions against a flood fill; rectangles around points against what holds for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from framefind.words.screen.regions import Rectangle, enclose, find_regions


def flood(mask):
    """The pixels of each connected region, by hand."""
    rest = {(int(x), int(y)) for y, x in np.argwhere(mask)}
    regions = []
    while rest:
        region = set()
        edge = [rest.pop()]
        while edge:
            x, y = edge.pop()
            region.add((x, y))
            near = {(x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & rest
            rest -= near
            edge += near
        regions.append(region)
    return regions


def bounds(points):
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_regions_are_those_of_a_flood_fill(mask):
    expected = []
    for region in flood(mask):
        pixels = np.array(sorted(region))
        expected.append(bounds(np.concatenate([pixels, pixels + 1])))
    assert sorted(map(bounds, find_regions(mask, 1000))) == sorted(expected)


def test_a_spiral_is_one_region():
    mask = np.zeros((101, 101), bool)
    for ring in range(0, 50, 2):
        mask[ring, ring : 101 - ring] = mask[ring : 101 - ring, 100 - ring] = True
        mask[100 - ring, ring : 101 - ring] = mask[ring + 2 : 101 - ring, ring] = True
        mask[ring + 2, ring : ring + 2] = True
    assert len(find_regions(mask, 10)) == 1


def test_the_largest_regions_are_kept():
    mask = np.zeros((9, 40), bool)
    for number in range(5):
        mask[1 : 3 + number, 8 * number : 8 * number + 3] = True
    kept = [bounds(points) for points in find_regions(mask, 2)]
    assert kept == [(32, 1, 35, 7), (24, 1, 27, 6)]


def test_a_mask_without_pixels_has_no_region():
    assert find_regions(np.zeros((5, 5), bool), 10) == []


@given(arrays(np.int64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(0, 200)))
def test_a_rectangle_holds_its_points_and_is_no_larger_than_an_upright_one(corners):
    points = corners.astype(float)
    rectangle = enclose(points)
    offsets = points - (rectangle.x, rectangle.y)
    along = np.array([np.cos(rectangle.tilt), np.sin(rectangle.tilt)])
    assert np.abs(offsets @ along).max() <= rectangle.width / 2 + 1e-6
    assert np.abs(offsets @ (-along[1], along[0])).max() <= rectangle.height / 2 + 1e-6
    assert rectangle.width * rectangle.height <= np.prod(np.ptp(points, axis=0)) + 1e-6


@pytest.mark.parametrize("degrees", [-40, -10, 0, 15, 44])
def test_the_tilt_of_a_bar_is_measured(degrees):
    bar = Rectangle(100.0, 80.0, 120.0, 16.0, float(np.radians(degrees)))
    measured = enclose(bar.corners())
    assert np.degrees(measured.tilt) == pytest.approx(degrees, abs=0.6)
    assert (measured.width, measured.height) == pytest.approx((120, 16), abs=1.5)


def test_corners_begin_left_and_above():
    corners = Rectangle(10.0, 5.0, 8.0, 4.0, 0.0).grow(1.0).corners()
    assert corners.tolist() == [[5, 2], [15, 2], [15, 8], [5, 8]]
