"""What ends a command: one line that names the thing and what to do, and an exit code."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from framefind.cli import show
from framefind.errors import FramefindError, UsageError

_LIMITS = "close other programs, or raise the limits (`ulimit -v`, `ulimit -u`)"
_ROOM = "free some space and run again; nothing that was committed is lost"
_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EMFILE: "raise the limit: `ulimit -n 4096`",
    errno.ENFILE: "close other programs: this computer has too many files open",
    errno.ENOMEM: _LIMITS,
    errno.EAGAIN: _LIMITS,
    errno.EACCES: "get permission, or choose another place",
    errno.EPERM: "get permission, or choose another place",
    errno.EROFS: "choose another place",
}
_MEMORY_TROUBLES = ("can't start new thread", "failed to map", "cannot allocate", "out of memory")


@contextmanager
def explained(app: typer.Typer) -> Iterator[None]:
    """Print every error of the command line `app` in one line and exit: 2 for usage, else 1.

    An error that is not foreseen is called an internal one; with FRAMEFIND_DEBUG set it is raised.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        raise
    except FramefindError as error:
        text = name_options(str(error), list_options(get_command(app)))
        show.fail(text, 2 if isinstance(error, UsageError) else 1)
    except BaseException as error:  # a panic of a Rust library is no Exception
        if os.environ.get("FRAMEFIND_DEBUG"):
            raise
        show.fail(_explain(error))


def name_options(text: str, options: Mapping[str, str]) -> str:
    """Replace what the library calls by its Python name by what the command line calls it.

    Messages of the library have arguments in backticks, `min_score`, which become `options`
    (--min-score), and methods, `maintain()`, which become commands (`framefind maintain`).
    """
    text = re.sub(r"`reembed\('([^'`]*)'\)`", r"`framefind index --reembed --model \1`", text)
    text = re.sub(r"`([a-z]+)\(\)`", r"`framefind \1`", text)
    return re.sub(r"`([a-z_]+)`", lambda match: options.get(match[1], match[0]), text)


def list_options(command: Any) -> dict[str, str]:
    """Return the option, else the argument's placeholder, of each parameter of all commands."""
    options = {}
    for parameter in command.params:
        is_option = parameter.opts[0].startswith("-")
        name = parameter.opts[0] if is_option else parameter.metavar or parameter.name.upper()
        options[parameter.name] = name.rstrip("…")
    for inner in getattr(command, "commands", {}).values():
        for name, text in list_options(inner).items():
            if text.startswith("-") or name not in options:
                options[name] = text
    return options


def _explain(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_os_error(error)
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _MEMORY_TROUBLES):
        return f"memory or threads ran out ({text or 'MemoryError'}): {_LIMITS}"
    return (
        f"internal error: {type(error).__name__}: {text}; please report it, with what "
        "FRAMEFIND_DEBUG=1 shows"
    )


def _explain_os_error(error: OSError) -> str:
    reason = error.strerror or os.strerror(error.errno or 0)
    name = error.filename
    advice = _ADVICE.get(error.errno or 0)
    if "temporary directory" in reason or _is_temporary(name):
        advice = "set TMPDIR to a folder that can be written and has room"
    text = reason if name is None else f"{os.fsdecode(name)}: {reason}"
    return f"{text}; {advice}" if advice else text


def _is_temporary(name: object) -> bool:
    """Return whether a file lies in the folder for temporary files."""
    folder = tempfile.tempdir
    return folder is not None and isinstance(name, str) and Path(folder) in Path(name).parents
