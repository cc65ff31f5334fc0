"""`IndexOptions.parse` is the one list of index options: everything that repeats it is checked."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from framefind.cli.main import app
from framefind.indexing.options import IndexOptions
from framefind.library import Library
from framefind.spark import stream

OPTIONS = {
    name: parameter.default
    for name, parameter in inspect.signature(IndexOptions.parse).parameters.items()
}
SAMPLER_OPTIONS = {"every", "count", "random", "keyframes", "shots"}
"""What the command line has in place of `sampler`."""

USAGE = (Path(__file__).parent.parent / "docs" / "usage.md").read_text("utf-8")


@pytest.mark.parametrize("function", [Library.index, Library.plan, stream.index])
def test_functions_take_them_all(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default for name in OPTIONS} == OPTIONS


def test_the_command_line_takes_them_all() -> None:
    group: Any = get_command(app)
    parameters = {one.name: one for one in group.commands["index"].params}
    assert parameters.keys() >= SAMPLER_OPTIONS
    for name, default in OPTIONS.items():
        if name != "sampler":
            assert (parameters[name].default or ()) == (default or ())


def test_the_docs_have_the_defaults() -> None:
    table = USAGE.split("\n## index\n")[1].split("\n## ")[0]
    for name, default in {"every": "1", **OPTIONS}.items():
        if name != "sampler":
            (row,) = re.findall(rf"^\|[^|]*`--{name}\b[^|]*\|.*\|([^|]*)\|$", table, re.MULTILINE)
            assert row.strip(" `") == str(default or "")
