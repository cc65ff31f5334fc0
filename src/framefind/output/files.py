"""Files that are handed over: their names, and none that is written over unasked."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from framefind.errors import UsageError

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
_MAX_NAME_BYTES = 200  # of 255 that file systems allow, so that a number and a suffix have room
_FIELD = re.compile(r"\{(\w*)\}")


def fill_pattern(pattern: str, values: dict[str, str]) -> str:
    """Return a name made of a pattern such as `{number} {name}`.

    Raises UsageError for a field that is none of `values`.
    """

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            fields = ", ".join(f"{{{name}}}" for name in values)
            raise UsageError(f"`names` {pattern!r}: there is no {match[0]}; use {fields}")
        return values[match[1]]

    return _FIELD.sub(fill, pattern)


def safe_name(name: str) -> str:
    """Return a name that a file can have on every system."""
    name = _FORBIDDEN.sub("_", name).strip(" .")
    return name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore").strip(" .") or "moment"


class Names:
    """Gives each file of a folder a name of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._given: set[str] = set()

    def give(self, stem: str, suffix: str) -> Path:
        """Return the path of a file, with a number where another one has the name already."""
        name = stem = safe_name(stem)
        number = 1
        while name.casefold() in self._given:  # some file systems take A and a for one
            number += 1
            name = f"{stem} ({number})"
        self._given.add(name.casefold())
        return self._folder / f"{name}{suffix}"


def check_target(path: Path, overwrite: bool, sources: "Callable[[], Iterator[str]]") -> None:
    """Raise UsageError if a file may not be written: it exists, or is one of the videos."""
    if not os.path.lexists(path):
        if not path.parent.is_dir():
            raise UsageError(f"`out` {path}: there is no folder {path.parent}")
        return
    if path.is_dir():
        raise UsageError(f"`out` {path}: that is a folder; name a file")
    if not overwrite:
        raise UsageError(f"{path} exists already: `overwrite` replaces it")
    if any(os.path.exists(source) and path.samefile(source) for source in sources()):
        raise UsageError(f"{path} is one of the videos: choose another name")
