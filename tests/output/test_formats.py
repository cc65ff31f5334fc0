import re
from typing import get_type_hints

import pytest

from framefind.cli.search import search
from framefind.errors import UsageError
from framefind.output.formats import FORMATS, find_format
from framefind.output.timelines.registry import PLAYLISTS
from framefind.types import Page
from results import BY_MOMENT, BY_VIDEO


@pytest.mark.parametrize("name", [*FORMATS, *PLAYLISTS])
@pytest.mark.parametrize("page", [BY_MOMENT, BY_VIDEO, Page([], 0, 0), Page([], 0, 0, [])])
def test_every_format_writes_every_page(name: str, page: Page) -> None:
    lines = list(find_format(name)(page, {"text": "a dog"}))
    assert all(isinstance(line, str) and "\n" not in line for line in lines)


def test_an_unknown_format_is_refused_with_a_list_of_all() -> None:
    names = ", ".join([*FORMATS, *PLAYLISTS])
    with pytest.raises(UsageError, match=f"format 'docx': use {names}"):
        find_format("docx")


def test_the_command_line_names_every_format() -> None:
    option = get_type_hints(search, include_extras=True)["output_format"].__metadata__[0]
    assert set(re.findall(r"\b[a-z0-9]{3,}\b", option.help)) >= {*FORMATS, *PLAYLISTS}
