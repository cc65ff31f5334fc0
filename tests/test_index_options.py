"""`IndexOptions.parse` is the one list of index options: what repeats it is checked.

The functions that take these options are checked in `tests/indexing/test_options.py`.
"""

import inspect
import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from framefind.cli.main import app
from framefind.indexing.options import IndexOptions

OPTIONS = {
    name: parameter.default
    for name, parameter in inspect.signature(IndexOptions.parse).parameters.items()
}
SAMPLER_OPTIONS = {"every", "count", "random", "keyframes", "shots"}
"""What the command line has in place of `sampler`."""

USAGE = (Path(__file__).parent.parent / "docs" / "usage.md").read_text("utf-8")


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
