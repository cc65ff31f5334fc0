"""Queries: texts, images and sums of them become vectors; the JSON document repeats them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framefind import Crop, Library, Moment, Query
from framefind.errors import QueryError
from framefind.models import registry
from framefind.search.filters import names_of
from framefind.search.query_vectors import Term, embed, embed_image, embed_queries, parse_term

MODEL = registry.load("mini")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class TestTerm:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("snow", Term("snow", 1)),
            ("2:snow", Term("snow", 2)),
            (" 0.5: deep snow ", Term("deep snow", 0.5)),
            (".5:snow", Term("snow", 0.5)),
            ("2:", Term("2:", 1)),
            ("a 2:1 draw", Term("a 2:1 draw", 1)),
            ("-2:snow", Term("-2:snow", 1)),
        ],
    )
    def test_weights(self, text, expected):
        assert parse_term(text, 1) == expected
        assert parse_term(text, -1) == Term(expected.value, -expected.weight)


class TestEmbed:
    @given(st.lists(st.tuples(st.sampled_from(["a dog", "snow", "a car"]), st.floats(0.1, 9))))
    def test_is_the_weighted_sum_at_unit_length(self, parts):
        if not parts:
            assert not embed([[]], MODEL).any()
            return
        (vector,) = embed([[Term(text, weight) for text, weight in parts]], MODEL)
        total = sum(weight * MODEL.embed_texts([text])[0] for text, weight in parts)
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)

    def test_takes_vectors_and_subtracts(self):
        one, two = MODEL.embed_texts(["a dog", "snow"])
        (vector,) = embed([[Term(one), Term("snow", -0.5)]], MODEL)
        total = one - np.float32(0.5) * two
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)

    def test_a_time_in_the_query_is_no_weight(self):
        timed, plain = embed([[Term("5:30 train")], [Term("train")]], MODEL)
        assert not np.allclose(timed, plain)

    @given(st.lists(st.lists(st.sampled_from(["a dog", "snow", "a car"]), min_size=1), max_size=9))
    def test_a_sum_is_the_same_among_others(self, sums):
        terms = [[Term(text) for text in texts] for texts in sums]
        together = embed(terms, MODEL)
        assert together.shape == (len(sums), MODEL.dimensions)
        for one, alone in zip(together, terms, strict=True):
            np.testing.assert_array_equal(one, embed([alone], MODEL)[0])

    @pytest.mark.parametrize(
        ("terms", "said"),
        [
            ([Term("  ")], "empty text"),
            ([Term("snow"), Term("snow", -1)], "cancel"),
        ],
    )
    def test_refuses(self, terms, said):
        with pytest.raises(QueryError, match=said):
            embed([[Term("a dog")], terms], MODEL)


class TestImages:
    def test_several_are_summed_and_one_is_embedded_once(self, shared_library, calls):
        index = shared_library.vector_index.get()
        images = ["a.mp4@0#0,0,0.5,0.5", "d.mp4@4"]
        one, two = (embed_image(image, index, MODEL) for image in images)
        embedded = calls(type(MODEL), "embed_images")
        asked = [Query(image=images), Query("snow", image=images[0]), Query(image=images[:1])]
        queries = embed_queries(asked, lambda: index, lambda: names_of(index), lambda: None, MODEL)
        both, snowy, alone = (query.vector for query in queries)
        assert len(embedded) == 1
        np.testing.assert_allclose(both, (one + two) / np.linalg.norm(one + two), atol=1e-6)
        snow = MODEL.embed_texts(["snow"])[0] + one
        np.testing.assert_allclose(snowy, snow / np.linalg.norm(snow), atol=1e-6)
        np.testing.assert_allclose(alone, one, atol=1e-6)

    def test_a_box_of_a_frame_is_cut_from_the_very_frame(self, shared_library):
        index = shared_library.vector_index.get()
        box = (0.1, 0.2, 0.5, 0.6)
        frame = shared_library.frame("d.mp4", 4.6)
        cut = frame[round(0.2 * 120) : round(0.8 * 120), round(0.1 * 160) : round(0.6 * 160)]
        expected = embed_image(png(cut), index, MODEL)
        moment = Moment("", shared_library.videos(["d.mp4"])[0].video_id, 4, 6, 4.6, 0, 0, box)
        for image in ("d.mp4@4.6#0.1,0.2,0.5,0.6", Crop("d.mp4@4.6", box), Crop(moment, box)):
            np.testing.assert_array_equal(embed_image(image, index, MODEL), expected)

    def test_of_no_frame_of_the_library(self, library, shared_library):
        with pytest.raises(QueryError, match="no video"):
            embed_image("nothing.mp4@3#0,0,1,1", library.vector_index.get(), MODEL)
        with pytest.raises(QueryError, match=r"d.mp4@700: past the end .* at \d+\.\d+ s"):
            embed_image("d.mp4@700", library.vector_index.get(), MODEL)
        gone = Moment("", "00", 0, 1, 0, 0, 0, (0, 0, 1, 1))
        with pytest.raises(QueryError, match="00 is not in the library"):
            embed_image(gone, library.vector_index.get(), MODEL)


def test_the_document_repeats_what_was_asked_for(shared_library: Library) -> None:
    moment = shared_library.search("a dog")[0]
    crop = Crop("car.jpg", (0, 0.25, 0.5, 0.75))
    query = Query("a dog", image=[crop, b"", moment], plus=["2:snow"], minus=("a car",), limit=3)
    assert query.document() == {
        "text": "a dog",
        "image": ["car.jpg#0,0.25,0.5,0.75", "bytes", f"{moment.path}@{moment.t!r}"],
        "plus": ["2:snow"],
        "minus": ["a car"],
        "then": None,
        "in": [],
    }
    assert Query(image="car.jpg").document()["image"] == ["car.jpg"]
