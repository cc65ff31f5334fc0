"""What a person has chosen for all libraries: `framefind.toml` in the user's config folder."""

import json
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from framefind.errors import UsageError
from framefind.files import disk
from framefind.files.folders import config_folder


def config_file() -> Path:
    """Return where the file is, or would be."""
    return config_folder() / "framefind.toml"


def read_config() -> dict[str, Any]:
    """Return all settings; none if there is no file. Raises UsageError for a damaged file."""
    return _parse(_read_text())


def read_text_setting(name: str) -> str | None:
    """Return a setting that is a text; None if it is not set. Raises UsageError otherwise."""
    value = read_config().get(name)
    if value is not None and not (isinstance(value, str) and value):
        raise UsageError(f"{config_file()}: {name} must be a text between quotes")
    return value


def write_text_setting(name: str, value: str) -> None:
    """Set one setting, and leave all else in the file as it is, comments too.

    Raises UsageError if the file is damaged or cannot be written.
    """
    text = _read_text()
    expected = _parse(text) | {name: value}
    quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    entry = f"{name} = {quoted}"
    first_table = re.search(r"^\s*\[", text, re.MULTILINE)
    end = first_table.start() if first_table else len(text)
    line = re.compile(rf"^{re.escape(name)}\s*=.*$", re.MULTILINE)
    top = line.sub(lambda _: entry, text[:end], count=1)
    if not line.search(text[:end]):
        top = f"{entry}\n{top}"
    if not _is_document(top + text[end:], expected):
        raise UsageError(f"{config_file()}: write {entry} there by hand")
    try:
        config_file().parent.mkdir(parents=True, exist_ok=True)
        disk.replace(config_file(), (top + text[end:]).encode())
    except OSError as error:
        raise UsageError(f"{config_file()} cannot be written: {error.strerror}") from None


def _is_document(text: str, expected: dict[str, Any]) -> bool:
    """Tell whether a text is TOML of these settings."""
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text) == expected
    return False


def _read_text() -> str:
    try:
        return config_file().read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{config_file()} cannot be read: {error}") from None


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{config_file()} is not TOML: {error}") from None
