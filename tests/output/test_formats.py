import pytest

from framefind.errors import UsageError
from framefind.output.formats import FORMATS, write
from framefind.output.timelines.registry import TIMELINES
from framefind.types import Page
from results import BY_MOMENT, BY_VIDEO


@pytest.mark.parametrize("name", [*FORMATS, *TIMELINES])
@pytest.mark.parametrize("page", [BY_MOMENT, BY_VIDEO, Page([], 0, 0), Page([], 0, 0, [])])
def test_every_format_writes_every_page(name: str, page: Page) -> None:
    lines = list(write(page, {"text": "a dog"}, name))
    assert all(isinstance(line, str) and "\n" not in line for line in lines)


def test_an_unknown_format_is_refused_before_anything_is_written() -> None:
    with pytest.raises(UsageError, match="format 'docx': use csv, json, "):
        write(BY_MOMENT, {}, "docx")
