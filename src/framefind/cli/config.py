"""`framefind config`: what a person has chosen, and where."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption

if TYPE_CHECKING:
    from framefind.files.config import Setting


def config(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show all settings, and whether framefind.toml or the environment set them.

    $ framefind config
    """
    from framefind.files.config import list_files
    from framefind.library import open

    opened = open(library)
    settings = opened.config()
    files = list_files(opened.uri)
    if as_json:
        document = {
            "schema": "framefind/config/v1",
            "library": opened.uri,
            "files": [str(file) for file in files],
            "settings": {name: asdict(setting) for name, setting in settings.items()},
        }
        show.print_json(document)
        return
    for file in files:
        show.print_note(f"{file}{'' if file.exists() else ' (not there)'}")
    rows = [
        (name, value, setting.origin)
        for name, setting in settings.items()
        for value in _list_values(name, setting)
    ]
    show.print_table(("setting", "value", "from"), rows)


def _list_values(name: str, setting: "Setting") -> list[str]:
    """Return a setting's values in effect, one per line; print a note for an invalid one."""
    from framefind.errors import UsageError
    from framefind.indexing.reading import parse_readings

    value = setting.value
    if name == "read":
        try:
            with setting.blamed():
                readings = parse_readings(value)
        except UsageError as error:
            show.print_note(str(error))
        else:
            value = value or [reading.source for reading in readings]
    return (value if isinstance(value, list) else [value or "none"]) or ["none"]
