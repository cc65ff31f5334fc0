"""What `--help` and wrong usage show of commands and options, beyond what Typer does."""

from collections.abc import Callable
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from framefind.output.printable import printable

FIND = "Index and search"
MANAGE = "Manage a library"
CHECK = "Models and checks"

OUTPUT = "Output"
LIBRARY = "Library and model"


class Command(TyperCommand):
    """A command whose flags and arguments are shown without a type.

    A text of several words without quotes is refused with the quotes that it needs.
    """

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """Return the parameters, `--help` among them."""
        return _simplify_types(super().get_params(ctx))

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the arguments of the command."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            text = ctx.params.get("text")
            words = printable(" ".join([text, *rest] if text else rest))
            wrong = "unexpected argument" if len(rest) == 1 else "unexpected arguments"
            ctx.fail(f'put the text in quotes: "{words}"' if text else f"{wrong}: {words}")
        return rest


class Group(TyperGroup):
    """A group of commands; its own flags are shown without a type."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """Return the parameters, `--help` among them."""
        return _simplify_types(super().get_params(ctx))


def _simplify_types(parameters: list[Any]) -> list[Any]:
    """Show choices as `local|spark`; hide the types of flags and arguments: they say nothing."""
    panels = [getattr(parameter, "rich_help_panel", None) for parameter in parameters]
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _show_no_type
        else:
            parameter.display_type_rich = partial(_show_bare, parameter.display_type_rich)
        if parameter.name == "help":
            parameter.rich_help_panel = next(filter(None, reversed(panels)), None)
    return parameters


def _show_bare(show: Callable[[typer.Context], str | None], ctx: typer.Context) -> str | None:
    """Return the type that `show` returns, without brackets."""
    type_name = show(ctx)
    return type_name and type_name.strip("<>")


def _show_no_type(ctx: typer.Context) -> None:
    return None
