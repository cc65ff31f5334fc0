"""The user's own folders: home, data and caches."""

import os
from pathlib import Path

from framefind.errors import LibraryError, UsageError

_NOWHERE = Path(os.devnull, "framefind")
"""A folder that cannot exist: reading or writing below it raises OSError."""


def data_folder() -> Path:
    """Return the folder for the user's data. Raises LibraryError for a user without a home."""
    from platformdirs import user_data_path

    try:
        folder = user_data_path("framefind")
    except RuntimeError:  # newer platformdirs; older ones give `~` back
        folder = Path("~")
    if not folder.is_absolute():
        raise LibraryError(
            "there is no home folder for the default library: name one by `library` "
            "or $FRAMEFIND_LIBRARY, or set HOME"
        )
    return folder


def default_library() -> str:
    """Return `$FRAMEFIND_LIBRARY`, else `default.framefind` in the user's data folder."""
    return os.environ.get("FRAMEFIND_LIBRARY") or str(data_folder() / "default.framefind")


def cache_folder() -> Path:
    """Return the folder for the user's caches; one that cannot be written without a home."""
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("framefind")
    except RuntimeError:
        return _NOWHERE
    return folder if folder.is_absolute() else _NOWHERE


def config_folder() -> Path:
    """Return the folder for the user's settings; one that cannot be written without a home."""
    from platformdirs import user_config_path

    try:
        folder = user_config_path("framefind")
    except RuntimeError:
        return _NOWHERE
    return folder if folder.is_absolute() else _NOWHERE


def expand_home(path: str) -> str:
    """Return a path with `~` resolved. Raises UsageError for an unknown home folder."""
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise UsageError(
            f"{path}: no home folder is known for {path.split('/')[0]}: set HOME, or write "
            f"./{path} if that is the folder's name"
        )
    return expanded
