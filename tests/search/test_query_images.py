"""Images of a query: what can be read, and boxes of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framefind import Crop, Query
from framefind.errors import QueryError
from framefind.files.stills import MAX_PIXELS
from framefind.search.query_images import crop_frame, read_image
from framefind.video.views import WHOLE

BILINEAR = Image.Resampling.BILINEAR


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def picture() -> Image.Image:
    ramp = np.linspace(0, 255, 90, dtype=np.uint8)
    grid = np.stack(np.broadcast_arrays(ramp[:, None], ramp[::-1] // 2, ramp[:, None] // 3), -1)
    return Image.fromarray(np.ascontiguousarray(grid))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    side = st.floats(0, 1, allow_subnormal=False)
    (left, right), (top, bottom) = (
        sorted(draw(st.lists(side, min_size=2, max_size=2, unique=True))) for _ in range(2)
    )
    return left, top, right - left, bottom - top


class TestCrop:
    @given(boxes(), st.sampled_from(["car.jpg", "https://host/a#b.jpg", "film.mp4@0:12", "a b#c"]))
    def test_is_read_as_it_is_written(self, box, name):
        text = f"{name}#{','.join(f'{side:.9f}' for side in box)}"
        box = tuple(round(side, 9) for side in box)
        if min(box[2:]) > 0:
            assert Crop.parse(text) == Crop(name, box)

    @pytest.mark.parametrize(
        "text", ["car.jpg", "car.jpg#1", "car.jpg#0,0,1", "#0,0,1,1", "a#0,0,1,1.jpg", "a#0,0,.,1"]
    )
    def test_other_texts_have_no_box(self, text):
        assert Crop.parse(text) is None

    def test_the_name_of_a_file_is_no_box(self, tmp_path):
        path = tmp_path / "car.jpg#0,0,0.5,0.5"
        assert Crop.parse(str(path)) == Crop(str(tmp_path / "car.jpg"), (0, 0, 0.5, 0.5))
        path.touch()
        assert Crop.parse(str(path)) is None

    @pytest.mark.parametrize(
        "box",
        [
            (0, 0, 0, 1),
            (0, 0, 1, 0),
            (0.5, 0, 0.6, 1),
            (0, 0.5, 1, 0.6),
            (-0.1, 0, 0.5, 0.5),
            (10, 20, 300, 400),
            (0, 0, 1),
            (0, 0, float("nan"), 1),
        ],
    )
    def test_a_box_is_inside_the_picture(self, box):
        with pytest.raises(QueryError, match="fractions of the picture"):
            Crop("car.jpg", box)
        with pytest.raises(QueryError, match="fractions"):
            Crop.parse("car.jpg#0.5,0.5,0.75,0.5")


class TestCut:
    @given(boxes(), st.integers(1, 40), st.integers(1, 40))
    def test_shows_what_is_in_the_box(self, box, width, height):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0] = np.arange(width)  # red tells the column,
        frame[..., 1] = np.arange(height)[:, None]  # green the row
        x, y, w, h = box
        pixels = crop_frame(frame, box, 4).astype(int)
        assert pixels.shape == (4, 4, 3)
        for channel, start, length, count in ((0, x, w, width), (1, y, h, height)):
            assert pixels[..., channel].min() >= min(round(start * count), count - 1)
            assert pixels[..., channel].max() <= max(
                round((start + length) * count) - 1, round(start * count), 0
            )

    def test_the_whole_is_the_picture(self):
        np.testing.assert_array_equal(
            crop_frame(np.asarray(picture()), WHOLE, 32), picture().resize((32, 32), BILINEAR)
        )


def test_the_images_of_a_query() -> None:
    crop = Crop("a.jpg", (0, 0, 1, 0.5))
    assert Query("a").images == []
    for image in ("a.jpg", Path("a.jpg"), b"jpg", crop):
        assert Query(image=image).images == Query(image=[image]).images == [image]
    assert Query(image=["a.jpg", crop]).images == ["a.jpg", crop]


class TestRead:
    def test_path_text_and_bytes_are_the_same(self, tmp_path):
        path = tmp_path / "picture.png"
        path.write_bytes(encoded(picture()))
        pixels = read_image(path, WHOLE, 64)
        np.testing.assert_array_equal(pixels, read_image(str(path), WHOLE, 64))
        np.testing.assert_array_equal(pixels, read_image(path.read_bytes(), WHOLE, 64))
        np.testing.assert_array_equal(pixels, picture().resize((64, 64), BILINEAR))

    def test_is_turned_upright(self):
        turned = picture().transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90° clockwise
        for box in (WHOLE, (0.1, 0.2, 0.3, 0.4)):
            np.testing.assert_array_equal(
                read_image(encoded(turned, exif=exif), box, 64),
                read_image(encoded(picture()), box, 64),
            )

    @pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
    def test_of_any_mode(self, mode):
        grey = picture().convert("L")
        image = (
            Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
            if mode == "I;16"
            else grey.convert(mode)
        )
        content = encoded(image, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
        pixels = read_image(content, WHOLE, 64)
        assert (pixels.shape, pixels.dtype) == ((64, 64, 3), np.uint8)

    def test_what_is_transparent_is_black(self):
        clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
        black = Image.new("RGB", (50, 50), "black")
        np.testing.assert_array_equal(
            read_image(encoded(clear), WHOLE, 64), read_image(encoded(black), WHOLE, 64)
        )

    def test_refuses_what_is_no_picture(self, tmp_path):
        with pytest.raises(QueryError, match="cannot be read"):
            read_image(tmp_path / "nothing.png", WHOLE, 64)
        with pytest.raises(QueryError, match="without a name"):
            read_image("", WHOLE, 64)
        with pytest.raises(QueryError, match="not a picture"):
            read_image(b"text", WHOLE, 64)
        whole = encoded(picture())
        with pytest.raises(QueryError, match="cannot be decoded"):
            read_image(whole[: len(whole) // 2], WHOLE, 64)

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_refuses_an_absurd_size(self, tmp_path: Path):
        side = int(MAX_PIXELS**0.5) + 1
        path = tmp_path / "huge.png"
        Image.new("1", (side, side)).save(path)
        with pytest.raises(QueryError, match="too many"):
            read_image(path, WHOLE, 64)

    def test_a_small_box_of_a_large_photo_is_sharp(self):
        photo = Image.new("RGB", (1600, 1600), "white")
        checkers = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((8, 8))).astype(np.uint8) * 255
        photo.paste(Image.fromarray(checkers).convert("RGB"), (800, 800))
        box = (0.5, 0.5, 0.04, 0.04)
        pixels = read_image(encoded(photo, "JPEG", quality=95), box, 64)
        assert np.abs(pixels[..., 0].astype(int) - checkers).mean() < 10
