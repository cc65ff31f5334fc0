import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from PIL import Image

from framefind.output.json import document, floored, schema, sheet, tsv
from framefind.times import clock, parse_time
from framefind.types import Box, Moment, Page, Then, VideoMoments
from framefind.video.views import WHOLE

MOMENT = Moment("/v/a.mp4", "0a1b", 10.0, 12.5, 11.2, 53.125, 0.875, (0.25, 0.0, 0.5, 1.0))
FOLLOWED = replace(MOMENT, then=Then(20.0, 22.0, 21.0, 40.5, 0.5))
VIDEO = VideoMoments("/v/a.mp4", "0a1b", 71.0, [replace(MOMENT, t=3.0, score=1.0), MOMENT])
BY_MOMENT = Page([MOMENT, FOLLOWED], total=7, offset=2)
BY_VIDEO = Page(VIDEO.moments, total=1, offset=0, videos=[VIDEO])


def errors(value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(value)]


def changes(value: Any) -> Iterator[Any]:
    """The document with one member left out or one value replaced by an object, everywhere."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: other} for other in changes(value[key]))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from ([*value[:i], other, *value[i + 1 :]] for other in changes(value[i]))
        yield {}
    else:
        yield {}


class TestDocument:
    def test_moments(self):
        assert document(BY_MOMENT, {"text": "a dog"}) == {
            "schema": "framefind/v1",
            "query": {"text": "a dog"},
            "offset": 2,
            "total": 7,
            "complete": True,
            "moments": [
                {
                    "path": "/v/a.mp4",
                    "video_id": "0a1b",
                    "start": 10.0,
                    "end": 12.5,
                    "t": 11.2,
                    "score": 53.125,
                    "confidence": 0.875,
                    "box": [0.25, 0.0, 0.5, 1.0],
                    "then": then,
                }
                for then in (
                    None,
                    {"start": 20.0, "end": 22.0, "t": 21.0, "score": 40.5, "confidence": 0.5},
                )
            ],
        }

    def test_by_video_it_holds_videos_instead(self):
        made = document(BY_VIDEO, {})
        assert "moments" not in made
        (video,) = made["videos"]
        assert {key: video[key] for key in ("path", "video_id", "score")} == {
            "path": "/v/a.mp4",
            "video_id": "0a1b",
            "score": 71.0,
        }
        assert [moment["t"] for moment in video["moments"]] == [3.0, 11.2]

    def test_numpy_values_become_json(self):
        box = tuple(np.array([0, 0, 1, 1], np.float32))
        moment = replace(MOMENT, score=np.float32(53.125), t=np.float64(11.2), box=box)
        made = document(Page([moment], np.int64(1), np.int64(0)), {"weights": np.ones(2)})
        assert json.loads(json.dumps(made)) == made

    def test_the_schema_is_itself_valid(self):
        Draft202012Validator.check_schema(schema())

    @pytest.mark.parametrize(
        "page", [BY_MOMENT, BY_VIDEO, Page([], 0, 0), Page([], 0, 0, []), Page([], 3, 9)]
    )
    def test_documents_validate(self, page):
        assert errors(document(page, {"text": "x"})) == []

    @pytest.mark.parametrize("page", [BY_MOMENT, BY_VIDEO])
    def test_the_schema_refuses_every_missing_member_and_wrong_type(self, page):
        broken = list(changes(document(page, {})))
        assert len(broken) > 40
        assert [change for change in broken if not errors(change)] == []

    def test_over_http_a_moment_has_a_thumbnail(self):
        made = document(BY_MOMENT, {})
        made["moments"][0]["thumbnail"] = "/v1/videos/0a1b/frames/11.2.jpg"
        assert errors(made) == []
        made["moments"][0]["thumbnail"] = 5
        assert errors(made)


def unescaped(field: str) -> str:
    parts = field.split("\\\\")
    for sign, character in (("t", "\t"), ("n", "\n"), ("r", "\r")):
        parts = [part.replace(f"\\{sign}", character) for part in parts]
    return "\\".join(parts)


class TestTsv:
    def test_a_moment(self):
        assert list(tsv(Page([MOMENT], 1, 0))) == ["/v/a.mp4\t10.0\t12.5\t11.2\t53.12\t0.875"]

    def test_a_video_has_its_best_moment_s_time(self):
        assert list(tsv(BY_VIDEO)) == ["/v/a.mp4\t71.00\t2\t11.2"]

    def test_nothing(self):
        assert list(tsv(Page([], 0, 0))) == list(tsv(Page([], 0, 0, []))) == []

    @given(st.text(st.sampled_from("ab\\tnr\t\n\r ü")))
    def test_any_path_is_one_field_of_one_line(self, path):
        (line,) = tsv(Page([replace(MOMENT, path=path)], 1, 0))
        assert not {"\n", "\r"} & set(line)
        field, *rest = line.split("\t")
        assert len(rest) == 5
        assert unescaped(field) == path

    @given(st.floats(0, 1e6))
    def test_times_are_exact(self, t):
        (line,) = tsv(Page([replace(MOMENT, t=np.float64(t))], 1, 0))
        assert float(line.split("\t")[3]) == t

    @given(st.floats(-100, 100), st.floats(0, 1))
    def test_the_numbers_shown_are_reached(self, score, sure):
        (line,) = tsv(Page([replace(MOMENT, score=score, confidence=sure)], 1, 0))
        for shown, value, digits in zip(line.split("\t")[4:], (score, sure), (2, 3), strict=True):
            assert shown == floored(value, digits)
            assert float(shown) <= value < float(shown) + 1.01 * 10**-digits


class TestTimes:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0:00"),
            (7, "0:07"),
            (7.04, "0:07"),
            (59.96, "1:00"),
            (90.5, "1:30.5"),
            (3599.99, "1:00:00"),
            (3723, "1:02:03"),
            (360000, "100:00:00"),
            (-1.5, "-0:01.5"),
            (-0.01, "0:00"),
        ],
    )
    def test_clock(self, seconds, text):
        assert clock(seconds) == text

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90", 90),
            ("90s", 90),
            ("90.25s", 90.25),
            (" 0.5 ", 0.5),
            ("1:30", 90),
            ("75:00", 4500),
            ("00:01:30.5", 90.5),
            ("1:02:03", 3723),
        ],
    )
    def test_parse(self, text, seconds):
        assert parse_time(text) == seconds

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "s",
            "-5",
            "1:60",
            "1:60:00",
            "1:2:3:4",
            ":30",
            "1:",
            "nan",
            "inf",
            "1e3",
            "1:30s",
            "٣",
        ],
    )
    def test_anything_else_is_refused_by_name(self, text):
        with pytest.raises(ValueError, match="use seconds such as 90 or 1:30") as caught:
            parse_time(text)
        assert repr(text) in str(caught.value)

    @given(st.integers(0, 10**7))
    def test_a_clock_reads_back_to_the_tenth(self, tenths):
        assert parse_time(clock(tenths / 10)) == pytest.approx(tenths / 10, abs=1e-6)

    @given(st.floats(0, 1e6))
    def test_a_clock_is_within_half_a_tenth(self, seconds):
        assert parse_time(clock(seconds)) == pytest.approx(seconds, abs=0.0501)


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
        sheet([MOMENT], [jpeg(320, 180)], "a dog", tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.format == kind

    def test_another_suffix_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ValueError, match=r"\.jpg or \.png"):
            sheet([], [], "a dog", tmp_path / "sheet.gif")
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
        sheet([replace(MOMENT, box=box)], [jpeg(width, height)], "a dog", tmp_path / "s.png")
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
        sheet([moment], [jpeg(320, 180)], "a dog", tmp_path / "s.png")
        assert near(first_card(tmp_path / "s.png")[112, 200], (255, 196, 61))

    @pytest.mark.parametrize("picture", [None, b"", b"not a picture", jpeg(320, 180)[:300]])
    def test_a_missing_or_broken_picture_leaves_an_empty_cell(self, tmp_path, picture):
        sheet([MOMENT], [picture], "a dog", tmp_path / "s.png")
        assert near(first_card(tmp_path / "s.png")[30, 30], (28, 31, 38))

    @pytest.mark.parametrize(
        ("count", "grid"), [(1, (2, 1)), (2, (2, 1)), (4, (2, 2)), (5, (3, 2)), (11, (4, 3))]
    )
    def test_it_grows_with_the_moments(self, tmp_path, count, grid):
        sheet([MOMENT] * count, [None] * count, "a dog", tmp_path / "s.png")
        with Image.open(tmp_path / "s.png") as image:
            assert image.size == (52 + 428 * grid[0], 116 + 311 * grid[1])

    def test_it_holds_the_first_200(self, tmp_path):
        sheet([MOMENT] * 201, [None] * 201, "a dog", tmp_path / "s.jpg")
        with Image.open(tmp_path / "s.jpg") as image:
            assert image.height == 116 + 311 * 50

    def test_nothing_found_says_so(self, tmp_path):
        sheet([], [], "a purple elephant", tmp_path / "s.png")
        assert len(np.unique(first_card(tmp_path / "s.png"))) > 3

    def test_moments_and_pictures_must_match(self, tmp_path):
        with pytest.raises(ValueError, match="zip"):
            sheet([MOMENT], [], "a dog", tmp_path / "s.png")

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
        sheet([replace(FOLLOWED, path=f"/v/{name}")], [None], name, tmp_path / "s.png")
        assert (tmp_path / "s.png").exists()

    def test_a_long_name_stays_below_its_picture(self, tmp_path):
        moment = replace(MOMENT, path="/v/" + "long name " * 40 + ".mp4")
        sheet([moment], [None], "long title " * 40, tmp_path / "s.png")
        image = np.asarray(Image.open(tmp_path / "s.png"))
        assert near(image[:, 440:].reshape(-1, 3).max(axis=0), (240, 242, 245))  # the title
        assert (
            np.ptp(image[330:, 440:].reshape(-1, 3), axis=0).max() == 0
        )  # nothing beside the name
        assert image[330:350, 40:440].max() > 200
