"""Describe arguments, and check what callers give: texts, numbers, dates, choices.

Messages name an argument in backticks, as all messages of the library do: the command line shows
it as its option.
"""

import math
import operator
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from framefind.errors import QueryError, UsageError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Option:
    """How the command line, the HTTP API and the docs show a field of `types.Query`.

    `group` is its heading in `--help`; `value` a placeholder, or the choices between bars (a TIME
    or DATE is parsed); `help` names other fields in backticks; `spelling` is the name where that
    is not the field's.
    """

    group: str
    value: str
    help: str
    repeats: bool = False
    spelling: str = ""


def describe(group: str, default: Any, value: str, help: str, **more: Any) -> Any:
    """Return a dataclass field with its default and its Option, as `metadata["option"]`."""
    return field(default=default, metadata={"option": Option(group, value, help, **more)})


def several(value: Any) -> list[Any]:
    """Return one or several things as a list; a text, bytes or a path is one thing."""
    if value is None:
        return []
    if isinstance(value, str | bytes | os.PathLike) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def texts(value: object, name: str) -> list[str]:
    """Return one or several texts or paths as a list of texts.

    Raises UsageError, which names the argument, when something else is among them.
    """
    checked: list[str] = []
    for item in several(value):
        text = os.fsdecode(item) if isinstance(item, bytes | os.PathLike) else item
        if not isinstance(text, str):
            raise UsageError(f"`{name}`: {item!r} is neither a text nor a path")
        if not text.strip():
            raise UsageError(f"`{name}`: an empty name stands for nothing; this folder is called .")
        if "\0" in text:
            raise UsageError(f"`{name}`: {text!r} has a NUL character in it; leave it out")
        checked.append(text)
    return checked


def text(value: object, name: str) -> str:
    """Return one text or path as a text. Raises UsageError when it is anything else, or several."""
    items = texts(value, name)
    if len(items) != 1:
        raise UsageError(f"`{name}`: {value!r} is not one text or path")
    return items[0]


def instances(value: object, name: str, kind: type[_T]) -> list[_T]:
    """Return one thing of a kind, or several, as a list. Raises UsageError for other things."""
    items = several(value)
    for item in items:
        if not isinstance(item, kind):
            raise UsageError(f"`{name}`: {item!r} is no {kind.__name__}")
    return items


def unicode(text: object) -> str:
    """Return the text. Raises QueryError for anything else, and for bytes that are not UTF-8."""
    if not isinstance(text, str):
        raise QueryError(f"{text!r} is no text")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise QueryError(f"{text!r} has bytes in it that are not UTF-8: write it in UTF-8")
    return text


def number(value: object, name: str, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise UsageError when a value is neither None nor a finite number in the range."""
    if value is None:
        return
    try:
        fits = not isinstance(value, bool | str) and low <= float(value) <= high  # type: ignore[arg-type]
        if fits and math.isfinite(float(value)):  # type: ignore[arg-type]
            return
    except (TypeError, ValueError, OverflowError):
        pass
    raise UsageError(f"`{name}` {value!r}: use {_range('a number', low, high)}")


def whole_number(value: object, name: str, low: int) -> None:
    """Raise UsageError when a value is not a whole number, or too small a one."""
    try:
        if not isinstance(value, bool) and operator.index(value) >= low:  # type: ignore[arg-type]
            return
    except TypeError:
        pass
    raise UsageError(f"`{name}` must be at least {low}, and a whole number: not {value!r}")


def choice(value: object, name: str, choices: Collection[str]) -> None:
    """Raise UsageError for a value that is not one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"`{name}` {value!r}: use {', '.join(choices)}")


def choices(values: object, name: str, choices: Collection[str]) -> list[str]:
    """Return one text or several as a list. Raises UsageError for one that is no choice."""
    chosen = texts(values, name)
    for value in chosen:
        choice(value, name, choices)
    return chosen


def date(value: object, name: str) -> None:
    """Raise UsageError for anything but None and a datetime from year 1 to 9999."""
    if value is None:
        return
    try:
        if isinstance(value, datetime):
            value.timestamp()
            return
    except (OverflowError, ValueError, OSError):  # before year 1 or after 9999 in UTC
        pass
    raise UsageError(f"`{name}` {value!r}: use a datetime from year 1 to 9999")


def parse_date(text: str) -> datetime:
    """Return the date and time that a text says. Raises UsageError, with the forms that do."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"date {text!r}: use 2024-12-31, 2024-12-31T18:30 or 2024-12-31T18:30+01:00"
        ) from None


def ascending(low: Any, high: Any, names: tuple[str, str]) -> None:
    """Raise UsageError when both are given and nothing can lie between them."""
    if low is not None and high is not None and low > high:
        first, last = (f"`{name}`" for name in names)
        raise UsageError(f"{first} {low} comes after {last} {high}: nothing lies between")


def _range(kind: str, low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"{kind} from {low:.0f} to {high:.0f}"
    return f"{kind}, {low:.0f} or more" if math.isfinite(low) else f"a finite {kind[2:]}"
