"""What a notebook shows of libraries, pages and moments."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

from PIL import Image

import framefind
from framefind.models import registry
from framefind.output import notebook
from framefind.types import Moment, Page, Then

NOWHERE = Moment("/no/such/<b>film</b>.mp4", "0", 61.0, 65.5, 62.0, 41.26, 0.314, (0, 0, 0.5, 1))


def test_a_moment_is_shown_with_its_frame(shared_library: framefind.Library) -> None:
    moment = shared_library.search("colours", limit=1)[0]
    shown = moment._repr_html_()
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', shown)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.format == "JPEG"
        assert picture.width >= 320
    assert Path(moment.path).name in shown
    assert f"{int(100 * moment.confidence)}%" in shown


def test_a_moment_whose_video_is_gone_is_shown_in_words() -> None:
    shown = NOWHERE._repr_html_()
    assert "<img" not in shown
    assert "1:01 – 1:05.5" in shown
    assert "score 41.2, maybe 31%" in shown


def test_what_follows_is_told() -> None:
    moment = replace(NOWHERE, then=Then(70.0, 72.0, 71.0, 30.0, 0.4))
    assert "then 1:10" in moment._repr_html_()


def test_names_are_escaped() -> None:
    shown = NOWHERE._repr_html_()
    assert "<b>film" not in shown
    assert "&lt;b&gt;" in shown


def test_a_page_shows_some_of_its_moments() -> None:
    shown = Page([NOWHERE] * 30, 99, 0)._repr_html_()
    assert shown.count("<figure") == 24
    assert "99 moments, 24 shown" in shown
    assert "<p>1 moment</p>" in notebook.render_moments([NOWHERE], 1)


def test_a_library_is_shown_in_numbers(shared_library: framefind.Library, tmp_path: Path) -> None:
    shown = shared_library._repr_html_()
    assert "4 indexed" in shown
    assert registry.full_name("mini") in shown
    missing = framefind.open(tmp_path / "new.framefind")._repr_html_()
    assert "is not there yet" in missing
