"""`How` is the one list of what `export` takes: everything that repeats it is checked here."""

from typing import Any

from typer.main import get_command

from framefind.cli.main import app
from framefind.output.options import CLIP_NAMES, HELP, How
from framefind.server.schemas import Export


def test_all_but_the_callback_say_what_they_do() -> None:
    assert HELP.keys() == How.__annotations__.keys() - {"on_clip"}


def test_the_command_line_takes_them_all() -> None:
    group: Any = get_command(app)
    parameters = {one.name: one for one in group.commands["export"].params}
    assert {name: parameters[name].help for name in HELP} == HELP
    assert parameters["names"].default == CLIP_NAMES


def test_the_http_api_takes_no_others() -> None:
    fields = Export.model_fields.keys() - {"moments", "to"}
    assert fields <= HELP.keys()
    assert {name: Export.model_fields[name].description for name in fields} == {
        name: HELP[name] for name in fields
    }
