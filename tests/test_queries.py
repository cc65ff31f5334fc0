import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framefind import models
from framefind.errors import QueryError
from framefind.queries import MAX_PIXELS, Term, embed, embed_picture, term

MODEL = models.load("mini")


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def picture() -> Image.Image:
    ramp = np.linspace(0, 255, 90, dtype=np.uint8)
    grid = np.stack(np.broadcast_arrays(ramp[:, None], ramp[::-1] // 2, ramp[:, None] // 3), -1)
    return Image.fromarray(np.ascontiguousarray(grid))


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
        assert term(text, 1) == expected
        assert term(text, -1) == Term(expected.what, -expected.weight)


class TestEmbed:
    @given(st.lists(st.tuples(st.sampled_from(["a dog", "snow", "a car"]), st.floats(0.1, 9))))
    def test_is_the_weighted_sum_at_unit_length(self, parts):
        if not parts:
            with pytest.raises(QueryError, match="nothing to search for"):
                embed([], MODEL)
            return
        vector = embed([Term(text, weight) for text, weight in parts], MODEL)
        total = sum(weight * MODEL.embed_texts([text])[0] for text, weight in parts)
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)

    def test_takes_vectors_and_subtracts(self):
        one, two = MODEL.embed_texts(["a dog", "snow"])
        vector = embed([Term(one), Term("snow", -0.5)], MODEL)
        total = one - np.float32(0.5) * two
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)

    def test_a_time_in_the_query_is_no_weight(self):
        assert not np.allclose(embed([Term("5:30 train")], MODEL), embed([Term("train")], MODEL))

    @pytest.mark.parametrize(
        ("terms", "said"),
        [
            ([Term("snow", -1)], "nothing to search for"),
            ([Term("  ")], "empty text"),
            ([Term("snow"), Term("snow", -1)], "cancel"),
        ],
    )
    def test_refuses(self, terms, said):
        with pytest.raises(QueryError, match=said):
            embed(terms, MODEL)


class TestPicture:
    def test_path_text_and_bytes_are_the_same(self, tmp_path):
        path = tmp_path / "picture.png"
        path.write_bytes(encoded(picture()))
        vector = embed_picture(path, MODEL)
        np.testing.assert_array_equal(vector, embed_picture(str(path), MODEL))
        np.testing.assert_array_equal(vector, embed_picture(path.read_bytes(), MODEL))
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)

    def test_is_turned_upright(self):
        turned = picture().transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90° clockwise
        vector = embed_picture(encoded(turned, exif=exif), MODEL)
        np.testing.assert_array_equal(vector, embed_picture(encoded(picture()), MODEL))

    @pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
    def test_of_any_mode(self, mode):
        grey = picture().convert("L")
        image = (
            Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
            if mode == "I;16"
            else grey.convert(mode)
        )
        content = encoded(image, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
        assert np.linalg.norm(embed_picture(content, MODEL)) == pytest.approx(1, abs=1e-5)

    def test_what_is_transparent_is_black(self):
        clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
        black = Image.new("RGB", (50, 50), "black")
        np.testing.assert_array_equal(
            embed_picture(encoded(clear), MODEL), embed_picture(encoded(black), MODEL)
        )

    def test_refuses_what_is_no_picture(self, tmp_path):
        with pytest.raises(QueryError, match="cannot be read"):
            embed_picture(tmp_path / "nothing.png", MODEL)
        with pytest.raises(QueryError, match="not a picture"):
            embed_picture(b"text", MODEL)
        whole = encoded(picture())
        with pytest.raises(QueryError, match="cannot be decoded"):
            embed_picture(whole[: len(whole) // 2], MODEL)

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_refuses_an_absurd_size(self, tmp_path: Path):
        side = int(MAX_PIXELS**0.5) + 1
        path = tmp_path / "huge.png"
        Image.new("1", (side, side)).save(path)
        with pytest.raises(QueryError, match="too many"):
            embed_picture(path, MODEL)
