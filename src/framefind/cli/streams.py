"""The standard streams, which may be closed, or cannot show every character."""

import io
import logging
import os
import sys
from typing import Any

from framefind.output.printable import printable


def prepare() -> None:
    """Open closed streams to nowhere, and escape characters that a stream's encoding lacks.

    The numbers of closed streams are taken, too: a file of the library that got one would receive
    what is written to the stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number is free
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("framefind: %(message)s"))
    logging.basicConfig(handlers=[handler])


class _Lines(logging.Formatter):
    """Write a message, which may name files, as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))


def finish() -> None:
    """Flush stdout. Raises OSError when it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough
        silence(sys.stdout)
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> OSError:
    """Write nothing more to stdout, and return the error that names it."""
    silence(sys.stdout)
    return OSError(error.errno, error.strerror, "stdout")


def silence(stream: Any) -> None:
    """Redirect a stream that cannot be written to nowhere, with what it still holds."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
