"""Open a video at a time in the user's own player."""

import shutil
import subprocess
import sys
from collections.abc import Callable

from framefind.errors import QueryError
from framefind.files.names import native_path
from framefind.files.objects import is_remote

_PLAYER_OPTIONS: dict[str, Callable[[float], list[str]]] = {
    "mpv": lambda t: [f"--start={t:.3f}"],
    "vlc": lambda t: [f"--start-time={t:.3f}"],
    "ffplay": lambda t: ["-ss", f"{t:.3f}"],
    "celluloid": lambda t: [f"--mpv-start={t:.3f}"],
    "iina": lambda t: [f"--mpv-start={t:.3f}"],
}
"""Players that start at a time, and their option for it; the first that is installed is used."""

_DESKTOP_OPENERS = {"darwin": ["open"], "win32": ["cmd", "/c", "start", ""]}


def play(path: str, start: float) -> str:
    """Start a player at `start` seconds, do not wait for it, and return a message.

    Where no such player is installed, the desktop's own opens the video at its beginning. Raises
    QueryError when there is none either, or the video lies in an object store.
    """
    if is_remote(path):
        raise QueryError(f"{path}: players cannot open it; `framefind serve --open` plays it")
    file = native_path(path)
    for name, option in _PLAYER_OPTIONS.items():
        if program := shutil.which(name):
            _start([program, *option(start), file])
            return f"opened {path} at {start:.1f} s in {name}"
    opener = _DESKTOP_OPENERS.get(sys.platform, ["xdg-open"])
    if not shutil.which(opener[0]):
        raise QueryError(f"no player found to open {path}: install mpv or vlc")
    _start([*opener, file])
    return f"opened {path}; go to {start:.1f} s (install mpv or vlc to start there)"


def _start(command: list[str]) -> None:
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
