"""The options of `search`, made of the fields of `types.Query`."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Annotated, Any, Literal

import typer

from framefind.arguments import Option, parse_date
from framefind.cli.failures import name_options
from framefind.errors import UsageError
from framefind.times import parse_time
from framefind.types import Query

_TEXT: Option = next(iter(fields(Query))).metadata["option"]
QueryArgument = Annotated[
    str | None, typer.Argument(metavar=_TEXT.value, help=_TEXT.help, show_default=False)
]

_PARSERS: dict[str, Callable[[str], Any]] = {"TIME": parse_time, "DATE": parse_date}


def with_query_options(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command an option for each field of Query but its text.

    `**query` receives them; fields `without` an option have their default.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command_parameters = list(inspect.signature(command).parameters.values())[:-1]
        names = [field for field in fields(Query) if field.name not in ("text", *without)]
        derived = [_make_parameter(field) for field in names]
        parameters = [
            parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in command_parameters
        ]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*parameters[:1], *derived, *parameters[1:]]
        )
        return command

    return decorate


def spell_option(field: "Field[Any]") -> str:
    """Return the option of a field, such as `--from`."""
    option: Option = field.metadata["option"]
    return f"--{option.spelling or field.name.replace('_', '-')}"


def _make_parameter(field: "Field[Any]") -> inspect.Parameter:
    option: Option = field.metadata["option"]
    names = {query_field.name: spell_option(query_field) for query_field in fields(Query)}
    info = typer.Option(
        spell_option(field),
        help=name_options(option.help, names) + (" Repeatable." if option.repeats else ""),
        metavar=option.value,
        parser=_make_parser(option.value),
        rich_help_panel=option.group,
    )
    default = field.default
    kind: Any = field.type
    if option.repeats:
        default = None
        kind = list[str] | None
    elif "|" in option.value:
        kind = Literal[tuple(option.value.split("|"))]
    elif info.parser and default is not None:
        default = f"{default:g}"
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, info],
    )


def _make_parser(value: str) -> Callable[[str], Any] | None:
    """Return what reads a time or a date, and says which forms it takes where it cannot."""
    if value not in _PARSERS:
        return None

    def parse(text: str) -> Any:
        try:
            return _PARSERS[value](text)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from None

    parse.__name__ = value
    return parse
