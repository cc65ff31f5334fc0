import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framefind.output.sheet import draw_sheet
from framefind.types import Box
from framefind.video.views import WHOLE
from results import FOLLOWED, MOMENT

GREEN = (40, 180, 60)


def jpeg(width: int, height: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), GREEN).save(written, "JPEG", quality=95)
    return written.getvalue()


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(int(a) - b) < 12 for a, b in zip(pixel, colour, strict=True))


def first_card(path: Path) -> np.ndarray:
    """The first picture's cell, 225 × 400."""
    return np.asarray(Image.open(path).convert("RGB"))[104 : 104 + 225, 40 : 40 + 400]


class TestSheet:
    @pytest.mark.parametrize(
        ("name", "kind"), [("s.jpg", "JPEG"), ("s.JPEG", "JPEG"), ("s.png", "PNG")]
    )
    def test_the_suffix_decides(self, tmp_path, name, kind):
        draw_sheet([MOMENT], [jpeg(320, 180)], "a dog", tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.format == kind

    def test_another_suffix_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ValueError, match=r"\.jpg or \.png"):
            draw_sheet([], [], "a dog", tmp_path / "sheet.gif")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("width", "height", "box", "lit"),
        [
            (320, 180, (0.5, 0.0, 0.5, 1.0), (slice(0, 225), slice(200, 400))),
            (320, 180, WHOLE, (slice(0, 225), slice(0, 400))),
            (180, 320, (0.0, 0.0, 1.0, 0.5), (slice(0, 112), slice(137, 264))),
        ],
    )
    def test_the_box_is_lit_and_outlined(
        self, tmp_path, width: int, height: int, box: Box, lit: tuple[slice, slice]
    ):
        draw_sheet([replace(MOMENT, box=box)], [jpeg(width, height)], "a dog", tmp_path / "s.png")
        card = first_card(tmp_path / "s.png")
        expected = np.zeros(card.shape[:2], bool)
        expected[lit] = True
        bright = np.abs(card.astype(int) - GREEN).max(axis=2) < 12
        outline = np.abs(card.astype(int) - (255, 196, 61)).max(axis=2) < 12
        rounded = 4 * 10 * 10  # what the corners may take
        assert ((bright | outline) ^ expected).sum() < rounded
        rows, columns = np.nonzero(outline)
        found = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        wanted = lit[0].start, lit[0].stop, lit[1].start, lit[1].stop
        assert np.abs(np.subtract(found, wanted)).max() <= 1
        assert bright[lit][20:-20, 20:-20].all()

    def test_a_box_without_area_is_still_seen(self, tmp_path):
        moment = replace(MOMENT, box=(0.5, 0.5, 0.0, 0.0))
        draw_sheet([moment], [jpeg(320, 180)], "a dog", tmp_path / "s.png")
        assert near(first_card(tmp_path / "s.png")[112, 200], (255, 196, 61))

    @pytest.mark.parametrize("picture", [None, b"", b"not a picture", jpeg(320, 180)[:300]])
    def test_a_missing_or_broken_picture_leaves_an_empty_cell(self, tmp_path, picture):
        draw_sheet([MOMENT], [picture], "a dog", tmp_path / "s.png")
        assert near(first_card(tmp_path / "s.png")[30, 30], (28, 31, 38))

    @pytest.mark.parametrize(
        ("count", "grid"), [(1, (2, 1)), (2, (2, 1)), (4, (2, 2)), (5, (3, 2)), (11, (4, 3))]
    )
    def test_it_grows_with_the_moments(self, tmp_path, count, grid):
        draw_sheet([MOMENT] * count, [None] * count, "a dog", tmp_path / "s.png")
        with Image.open(tmp_path / "s.png") as image:
            assert image.size == (52 + 428 * grid[0], 116 + 311 * grid[1])

    def test_it_holds_the_first_200(self, tmp_path):
        draw_sheet([MOMENT] * 201, [None] * 201, "a dog", tmp_path / "s.jpg")
        with Image.open(tmp_path / "s.jpg") as image:
            assert image.height == 116 + 311 * 50

    def test_nothing_found_says_so(self, tmp_path):
        draw_sheet([], [], "a purple elephant", tmp_path / "s.png")
        assert len(np.unique(first_card(tmp_path / "s.png"))) > 3

    def test_moments_and_pictures_must_match(self, tmp_path):
        with pytest.raises(ValueError, match="zip"):
            draw_sheet([MOMENT], [], "a dog", tmp_path / "s.png")

    @pytest.mark.parametrize(
        "name",
        [
            "東京の夜.mp4",
            "фильм.mp4",
            "two\nlines\t.mp4",
            "👩‍🚀.mp4",
            "\ud800.mp4",
            "",
            "/",
            "né\0.mp4",
        ],
    )
    def test_any_name_can_be_written(self, tmp_path, name):
        draw_sheet([replace(FOLLOWED, path=f"/v/{name}")], [None], name, tmp_path / "s.png")
        assert (tmp_path / "s.png").exists()

    def test_a_long_name_stays_below_its_picture(self, tmp_path):
        moment = replace(MOMENT, path="/v/" + "long name " * 40 + ".mp4")
        draw_sheet([moment], [None], "long title " * 40, tmp_path / "s.png")
        image = np.asarray(Image.open(tmp_path / "s.png"))
        assert near(image[:, 440:].reshape(-1, 3).max(axis=0), (240, 242, 245))  # the title
        assert (
            np.ptp(image[330:, 440:].reshape(-1, 3), axis=0).max() == 0
        )  # nothing beside the name
        assert image[330:350, 40:440].max() > 200
