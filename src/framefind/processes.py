"""Python processes of framefind's own: decoders, indexing jobs, and builders of indexes."""

import sys


def python_command(module: str) -> list[str]:
    """Return the command that runs a module with this Python.

    `-P` keeps the working directory out of its search path: a `numpy.py` that lies there is a file
    of the user's, not what is to be imported.
    """
    return [sys.executable, "-P", "-m", module]
