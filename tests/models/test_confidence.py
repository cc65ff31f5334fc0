from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.models import registry
from framefind.models.confidence import Neutral, confidence
from framefind.models.neutral import load_neutral

NONSENSE = ["asdfgh", "qwxz blorp", "zzzz", "grelb", "dfgkjh sdlfkj", "snorf wibble tang"]


def unit(count: int, seed: int, dimensions: int = 64) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


NEUTRAL = {kind: Neutral.summarize(unit(300, 9), of_images=kind) for kind in (True, False)}


def sure(query: NDArray[np.float32], views: NDArray[np.float32], against: Neutral) -> list[float]:
    scores = np.einsum("ij,j->i", views, query) * np.float32(100)
    return confidence(scores, query, views, against).tolist()


class TestNeutral:
    def test_gives_every_querys_mean_and_deviation(self):
        pictures = unit(300, 1, 32)
        queries = unit(5, 2, 32)
        neutral = Neutral.summarize(pictures, of_images=True)
        cosines = queries @ pictures.T
        np.testing.assert_allclose(queries @ neutral.mean, cosines.mean(axis=1), atol=1e-3)
        deviations = np.linalg.norm(queries @ neutral.axes.T, axis=1)
        np.testing.assert_allclose(deviations, cosines.std(axis=1), atol=1e-3)

    @given(st.integers(2, 100), st.integers(1, 100))
    def test_has_no_more_axes_than_wanted_or_there_are(self, count, axes):
        neutral = Neutral.summarize(unit(count, 3, 16), of_images=True, axes=axes)
        assert neutral.axes.shape == (min(axes, count, 16), 16)

    def test_at_the_middle_half_is_right(self):
        neutral = replace(NEUTRAL[True], middle=4.0, slope=2.0)
        sure = neutral.confidence(np.array([-1e9, 3.0, 4.0, 5.0, 1e9]))
        odds = 1 / (1 + np.exp(2.0))
        np.testing.assert_allclose(sure, [0, odds, 0.5, 1 - odds, 1])

    @pytest.mark.parametrize("of_images", [True, False])
    def test_is_kept_exactly(self, tmp_path, of_images):
        neutral = replace(NEUTRAL[of_images], middle=3.3, slope=1.7)
        neutral = replace(neutral, image_middle=5.5, image_slope=0.7)
        neutral.save(tmp_path / "n.npz")
        loaded = Neutral.load(tmp_path / "n.npz", 64)
        assert (loaded.of_images, loaded.middle, loaded.slope) == (of_images, 3.3, 1.7)
        assert (loaded.for_images().middle, loaded.for_images().slope) == (5.5, 0.7)
        np.testing.assert_array_equal(loaded.mean, neutral.mean)
        np.testing.assert_array_equal(loaded.axes, neutral.axes)

    def test_refuses_other_dimensions_and_other_files(self, tmp_path):
        NEUTRAL[True].save(tmp_path / "n.npz")
        with pytest.raises(ValueError, match=r"mean \(64,\)"):
            Neutral.load(tmp_path / "n.npz", 32)
        np.savez(tmp_path / "other.npz", mean=np.zeros(64))
        np.save(tmp_path / "rows.npy", np.zeros((3, 64)))
        (tmp_path / "empty.npz").touch()
        for name in ("other.npz", "rows.npy", "empty.npz"):
            with pytest.raises(ValueError, match="neutral"):
                Neutral.load(tmp_path / name, 64)


@pytest.mark.parametrize("of_images", [True, False])
class TestConfidence:
    @given(seed=st.integers(0, 1000), count=st.integers(0, 40))
    def test_lies_between_0_and_1(self, of_images, seed, count):
        found = sure(unit(1, seed)[0], unit(count, seed + 1), NEUTRAL[of_images])
        assert len(found) == count
        assert all(0 <= one <= 1 for one in found)

    @given(seed=st.integers(0, 1000), count=st.integers(1, 40), data=st.data())
    def test_of_a_view_does_not_depend_on_the_others(self, of_images, seed, count, data):
        query = unit(1, seed)[0]
        views = unit(count, seed + 1)
        some = data.draw(st.lists(st.integers(0, count - 1), min_size=1))
        together = sure(query, views, NEUTRAL[of_images])
        assert sure(query, views[some], NEUTRAL[of_images]) == [together[at] for at in some]

    def test_is_high_where_it_stands_out_and_low_where_it_does_not(self, of_images):
        query = unit(1, 5)[0]
        against = NEUTRAL[of_images]
        assert sure(query, query[np.newaxis], against)[0] > 0.95
        assert max(sure(query, unit(50, 6), against)) < 0.3

    def test_a_spread_of_nothing_divides_by_nothing(self, of_images):
        flat = Neutral(of_images, np.zeros(64, np.float32), np.zeros((3, 64), np.float32))
        assert np.isfinite(sure(unit(1, 1)[0], unit(3, 2), flat)).all()


@given(st.integers(0, 1000))
def test_against_pictures_it_orders_views_as_their_scores_do(seed):
    query = unit(1, seed)[0]
    views = unit(30, seed + 1)
    order = np.argsort(np.einsum("ij,j->i", views, query))
    assert (np.diff(np.array(sure(query, views, NEUTRAL[True]))[order]) >= 0).all()


def test_nonsense_finds_nothing_surely():
    model = registry.load("mini")
    noise = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    side = model.size // 4 + 1
    pictures = noise.repeat(side, axis=1).repeat(side, axis=2)[:, : model.size, : model.size]
    views = model.embed_images(pictures)
    for query in model.embed_texts(NONSENSE):
        assert max(sure(query, views, load_neutral(model))) < 0.5


def test_nothing_is_surer_for_a_picture_than_itself():
    model = registry.load("mini")
    noise = np.random.default_rng(0).integers(0, 256, (4, model.size, model.size, 3), np.uint8)
    views = model.embed_images(noise)
    found = sure(views[0], views, load_neutral(model).for_images())
    assert found[0] == max(found) > 0.5


def test_pictures_must_stand_out_more_than_texts():
    neutral = load_neutral(registry.load("mini"))
    standing = np.linspace(0, 9, 200)
    pictures = neutral.for_images().confidence(standing)
    texts = neutral.confidence(standing)
    likely = pictures >= 0.25  # less is what all pictures are given
    assert 50 < likely.sum() < 150
    assert (pictures < texts)[likely].all()
