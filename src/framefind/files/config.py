"""What a person has chosen: `framefind.toml` in a library and in the user's config folder."""

import json
import logging
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from framefind.arguments import texts
from framefind.errors import FramefindError, UsageError
from framefind.files import disk
from framefind.files.folders import config_folder
from framefind.files.names import resolve_path
from framefind.files.objects import is_remote
from framefind.types import PathLike

NAME = "framefind.toml"
"""The name of the file, in a library as in the user's config folder."""

DEFAULT = "default"
"""Where a setting comes from that nobody has chosen."""

_DEFAULTS: dict[str, str | list[str] | None] = {
    "folders": [],
    "exclude": [],
    "model": "mini",
    "read": None,
    "export_folder": None,
}
_LISTS = ("folders", "exclude", "read")
_PATHS = ("folders", "export_folder")
"""Settings that hold paths: relative ones begin at the folder of their file."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What counts of a setting: a text, a list of texts, or None for what the command decides.

    `origin` is where it comes from: `$FRAMEFIND_…`, the path of a file, or `default`.
    """

    value: Any
    origin: str = DEFAULT

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the origin in errors that are raised on purpose, unless it is the default."""
        try:
            yield
        except FramefindError as error:
            if self.origin == DEFAULT:
                raise
            raise type(error)(f"{self.origin}: {error}") from None


def config_file() -> Path:
    """Return where the user's file is, or would be."""
    return config_folder() / NAME


def library_file(library: str) -> Path | None:
    """Return where a library's own file is, or would be; None in an object store."""
    return None if is_remote(library) else Path(library, NAME)


def list_files(library: str | None = None) -> list[Path]:
    """Return the files that count if they are there: the user's, then the library's, which wins."""
    own_file = None if library is None else library_file(library)
    return [config_file(), *filter(None, [own_file])]


def read_settings(library: str | None = None) -> dict[str, Setting]:
    """Return what counts, by name.

    The environment (`$FRAMEFIND_MODEL`, lists separated by `;`) wins over the file of the
    `library`, and that over the user's. Raises UsageError for a damaged file.
    """
    settings = {name: Setting(value) for name, value in _DEFAULTS.items()}
    for file in list_files(library):
        for name, value in _read(file).items():
            if name in _DEFAULTS:
                settings[name] = Setting(_check(file, name, value), str(file))
            else:
                _warn_of_unknown(str(file), name)
    for name in _DEFAULTS:
        variable = f"FRAMEFIND_{name.upper()}"
        if text := os.environ.get(variable):
            parts = [part.strip() for part in text.split(";") if part.strip()]
            settings[name] = Setting(parts if name in _LISTS else text, f"${variable}")
    return settings


def name_paths(
    paths: PathLike | Iterable[PathLike] | None, settings: Mapping[str, Setting]
) -> list[str]:
    """Return the paths that a caller names, or for None the chosen folders.

    Raises UsageError where there are none.
    """
    if paths is not None:
        return texts(paths, "paths")
    folders = settings["folders"].value
    if not folders:
        file = config_file()
        raise UsageError(f"`paths`: name videos or folders, or write `folders = […]` into {file}")
    return texts(folders, "paths")


def add_folders(library: str, paths: Iterable[PathLike]) -> Path | None:
    """Keep more folders in a library's own file; return it if that was changed.

    The first ones are kept beside those that counted until now. Nothing is done for a library in
    an object store. Raises UsageError for a file that is damaged or cannot be written.
    """
    file = library_file(library)
    if file is None:
        return None
    own_folders = _read(file).get("folders")
    before = _read_folders(config_file() if own_folders is None else file)
    resolved = [resolve_path(path) for path in before]
    fresh = [path for path in map(resolve_path, texts(paths, "paths")) if path not in resolved]
    if not fresh:
        return None
    folders = own_folders if isinstance(own_folders, list) else before  # as they are written there
    write_setting(file, "folders", [*folders, *dict.fromkeys(fresh)])
    return file


def write_setting(file: Path, name: str, value: str | list[str]) -> None:
    """Set one setting, and leave all else in the file as it is, comments too.

    Raises UsageError if the file is damaged or cannot be written.
    """
    text = _read_text(file)
    expected = _parse(file, text) | {name: value}
    quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    entry = f"{name} = {quoted}"
    first_table = re.search(r"^\s*\[", text, re.MULTILINE)
    end = first_table.start() if first_table else len(text)
    line = re.compile(rf"^{re.escape(name)}\s*=.*$", re.MULTILINE)
    top = line.sub(lambda _: entry, text[:end], count=1)
    if not line.search(text[:end]):
        top = f"{entry}\n{top}"
    if not _is_document(top + text[end:], expected):
        raise UsageError(f"{file}: write {entry} there by hand")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(file, (top + text[end:]).encode())
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None


def _read_folders(file: Path) -> list[str]:
    """Return the folders of a file as paths that do not depend on where it is."""
    folders = _read(file).get("folders", [])
    return [*_check(file, "folders", folders)]


def _check(file: Path, name: str, value: Any) -> str | list[str]:
    """Return a setting's value as it counts. Raises UsageError for one of the wrong kind."""
    values: list[Any] = value if isinstance(value, list) and name in _LISTS else [value]
    if not all(isinstance(text, str) and text for text in values):
        kind = "a list of texts" if name in _LISTS else "a text"
        raise UsageError(f"{file}: {name} must be {kind} between quotes")
    if name in _PATHS:
        values = [_place(file, text) for text in values]
    return values if name in _LISTS else str(values[0])


def _place(file: Path, path: str) -> str:
    """Return a path as it is meant in a file: from the file's folder on."""
    if path.startswith("~") or is_remote(path):
        return path
    return os.path.normpath(os.path.join(file.absolute().parent, path))


@cache
def _warn_of_unknown(file: str, name: str) -> None:
    """Warn, once in a process, of an unknown setting."""
    _log.warning("%s: %s is not a setting; these are: %s", file, name, ", ".join(_DEFAULTS))


def _is_document(text: str, expected: dict[str, Any]) -> bool:
    """Return whether a text is TOML of these settings."""
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text) == expected
    return False


def _read(file: Path) -> dict[str, Any]:
    return _parse(file, _read_text(file))


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")  # Windows begins it with a byte order mark
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "; a path with backslashes goes between 'single quotes'" if "\\" in text else ""
        raise UsageError(f"{file} is not TOML: {error}{hint}") from None
