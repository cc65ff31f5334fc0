"""What ends a command, in words: one line that names the thing and what to do, and an exit code."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    errno.EACCES: "get the right to it, or choose another place",
    errno.EPERM: "get the right to it, or choose another place",
    errno.EROFS: "choose another place",
}
_NO_MEMORY = ("can't start new thread", "failed to map", "cannot allocate", "out of memory")


@contextmanager
def explained() -> Iterator[None]:
    """Say every error in one line and exit: 2 for wrong usage, else 1.

    What nobody foresaw is called an internal error; with FRAMEFIND_DEBUG set it is raised.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        raise
    except FramefindError as error:
        show.fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except BaseException as error:  # panics of Rust libraries are no Exception
        if os.environ.get("FRAMEFIND_DEBUG"):
            raise
        show.fail(_in_words(error))


def _in_words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error)
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _NO_MEMORY):
        return f"memory or threads ran out ({text or 'MemoryError'}): {_LIMITS}"
    return (
        f"internal error: {type(error).__name__}: {text}; please report it, with what "
        "FRAMEFIND_DEBUG=1 shows"
    )


def _of_the_system(error: OSError) -> str:
    what, name = error.strerror or os.strerror(error.errno or 0), error.filename
    advice = _ADVICE.get(error.errno or 0)
    if "temporary directory" in what or _is_temporary(name):
        advice = "set TMPDIR to a folder that can be written and has room"
    text = what if name is None else f"{os.fsdecode(name)}: {what}"
    return f"{text}; {advice}" if advice else text


def _is_temporary(name: object) -> bool:
    """Whether a file lies in the folder for temporary files."""
    folder = tempfile.tempdir
    return folder is not None and isinstance(name, str) and Path(folder) in Path(name).parents
