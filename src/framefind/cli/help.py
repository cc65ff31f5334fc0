"""What `--help` shows of commands and options, beyond what Typer does."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

FIND = "Find"
KEEP = "Keep a library"
CHECK = "Models and checks"

OUTPUT = "Output"
LIBRARY = "Library and model"


class Command(TyperCommand):
    """A command whose flags are shown without a type, since they take no value."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """Return the parameters, `--help` among them."""
        return _without_types_of_flags(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands whose own flags are shown without a type."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """Return the parameters, `--help` among them."""
        return _without_types_of_flags(super().get_params(ctx))


def _without_types_of_flags(parameters: list[Any]) -> list[Any]:
    panels = [getattr(parameter, "rich_help_panel", None) for parameter in parameters]
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if parameter.name == "help":
            parameter.rich_help_panel = next(filter(None, reversed(panels)), None)
    return parameters
