"""`types.Query` is the one list of search options: everything that repeats it is checked here."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from framefind.arguments import Option
from framefind.cli.failures import name_options
from framefind.cli.main import app
from framefind.cli.query_options import spell_option
from framefind.library import Library
from framefind.search.filters import Filters
from framefind.server.schemas import SearchQuery
from framefind.types import Query

FIELDS = {field.name: field for field in fields(Query)}
OPTIONS = {name: spell_option(field) for name, field in FIELDS.items()}
USAGE = Path(__file__).parent.parent / "docs" / "usage.md"

DOCUMENTED = re.search(
    r"^## search$.*?(^\| option.*?)^$", USAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def write_default(field: Any) -> str:
    """Return a default as people read it: 10 for 10.0, nothing for what is not set."""
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default or "")


def command_options(name: str) -> dict[str, Any]:
    group: Any = get_command(app)
    return {parameter.name: parameter for parameter in group.commands[name].params}


def documented_defaults() -> dict[str, str]:
    """Read the table of docs/usage.md: the default of each option, as it is written."""
    assert DOCUMENTED
    defaults: dict[str, str] = {}
    for row in DOCUMENTED[1].splitlines()[2:]:
        names, _, default = (cell.strip() for cell in row.strip("|").split("|"))
        options = re.findall(r"--[a-z-]+", names)
        written = default.split(", ") if len(options) > 1 and default else [default] * len(options)
        for option, value in zip(options, written, strict=True):
            defaults.setdefault(option, value.strip("`"))
    return defaults


def test_search_in_python_takes_them_all() -> None:
    parameters = dict(inspect.signature(Library.search).parameters)
    del parameters["self"]
    assert {name: one.default for name, one in parameters.items()} == {
        name: field.default for name, field in FIELDS.items()
    }


@pytest.mark.parametrize("name", FIELDS)
def test_search_on_the_command_line_takes_them_all(name: str) -> None:
    parameter = command_options("search")[name]
    field = FIELDS[name]
    option: Option = field.metadata["option"]
    help = name_options(option.help, OPTIONS) + (" Repeatable." if option.repeats else "")
    assert (parameter.help, parameter.metavar) == (help, option.value)
    if name != "text":
        assert (parameter.opts, parameter.rich_help_panel) == ([OPTIONS[name]], option.group)
        assert str(parameter.default or "") == write_default(field)


@pytest.mark.parametrize("name", FIELDS)
def test_the_http_api_takes_them_all(name: str) -> None:
    option: Option = FIELDS[name].metadata["option"]
    info = SearchQuery.model_fields["q" if name == "text" else name]
    assert (info.alias or "") == option.spelling
    if name != "image":  # a server takes frames of the library only
        assert info.description == option.help
    if name != "limit":  # the page in a browser shows 24
        assert info.default == ([] if option.repeats and name != "image" else FIELDS[name].default)


def test_the_http_api_takes_no_others() -> None:
    assert {*SearchQuery.model_fields} - {*FIELDS} == {"q"}


def test_the_docs_have_them_all() -> None:
    documented = documented_defaults()
    expected = {OPTIONS[name]: write_default(FIELDS[name]) for name in FIELDS if name != "text"}
    expected |= {"--offset": "0"}
    assert {option: documented[option] for option in expected} == expected


def test_filters_are_options() -> None:
    assert {field.name for field in fields(Filters)} - {*FIELDS} == {"videos"}
