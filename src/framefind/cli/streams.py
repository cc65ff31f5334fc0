"""The standard streams: whoever started us may have closed them, or chosen any encoding."""

import io
import logging
import os
import sys
from typing import Any

from framefind.output.printable import printable


def prepare() -> None:
    """Have all three streams, and have them write every character, escaped where they lack it.

    A stream that is closed reads or writes nothing. Its number is taken, too, so that no file of
    the library gets it and receives what is written to the stream.
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
    """Write what is left to be written. Raises OSError when it cannot be."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough
        silence(sys.stdout)
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> OSError:
    """Give up stdout; returns the error that says so."""
    silence(sys.stdout)
    return OSError(error.errno, error.strerror, "stdout")


def silence(stream: Any) -> None:
    """Have a stream that cannot be written go nowhere, with what it still holds."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
