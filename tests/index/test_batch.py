"""Several queries at a time: as exact as one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from indexes import film, score, unit, write

from framefind.index import int8_scan, products
from framefind.index.int8_scan import scan


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 300))
def test_products_are_as_near_as_they_say(tmp_path_factory, seed, count, room):
    rng = np.random.default_rng(seed)
    films = [
        film(rng, int(rng.integers(1, 9)), int(rng.integers(1, 6)), 24, rng.uniform(0.01, 1))
        for _ in range(int(rng.integers(1, 6)))
    ]
    index = write(tmp_path_factory.mktemp("i"), films, dead=[0] if len(films) > 2 else [])
    queries = np.asarray(unit(rng.standard_normal((count, 24))))
    kept = rng.random(len(index.videos)) < 0.7
    line = index.timeline.select(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8_scan, "_MAX_SCORES", room)  # few queries at a time
        patch.setattr(int8_scan, "_CACHED_FRAMES", int(rng.integers(1, 5)))
        patch.setattr(int8_scan, "MAX_CODED_QUERIES", 0)
        found = list(scan(index, queries, line))
    assert len(found) == count
    for query, scores in zip(queries, found, strict=True):
        expected = score(index, query)[1][np.isin(index.timeline.frame, line.frame)]
        first, counts = line.of_videos
        assert (np.abs(scores.values - expected) <= np.repeat(scores.video_slack, counts)).all()
        chosen = rng.random(len(first)) < 0.5
        kept, _ = scores.frames_of(np.flatnonzero(chosen))
        np.testing.assert_array_equal(kept, np.flatnonzero(np.repeat(chosen, counts)))
        np.testing.assert_array_equal(scores.exact(kept), expected[kept])


def test_all_half_precision_numbers_are_widened() -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = numbers[np.isfinite(numbers)]
    np.testing.assert_array_equal(products.widen(numbers), numbers.astype(np.float32))


@pytest.mark.parametrize(("rows", "queries"), [(1, 1), (7, 3), (64, 5), (65, 5), (200, 17)])
@pytest.mark.parametrize("one_thread", [1, 500, 1 << 18])
def test_matrices_are_multiplied_in_parts(monkeypatch, rows, queries, one_thread) -> None:
    monkeypatch.setattr(products, "_CACHED_ROWS", 64)
    monkeypatch.setattr(products, "_ONE_THREAD", one_thread)
    rng = np.random.default_rng(rows)
    vectors = np.asarray(unit(rng.standard_normal((rows, 24))), np.float16)
    columns = rng.standard_normal((24, queries)).astype(np.float32)
    multiplied = products.multiply_matrices(vectors, columns)
    np.testing.assert_allclose(multiplied, vectors.astype(np.float32) @ columns, atol=1e-5)
