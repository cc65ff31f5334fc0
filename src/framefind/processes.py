"""Python processes of framefind's own: decoders, indexing jobs, and builders of indexes."""

import os
import sys


def python_command(module: str) -> list[str]:
    """Return the command that runs a module with this Python.

    `-P` keeps the working directory out of its search path: a `numpy.py` that lies there is a file
    of the user's, not what is to be imported.
    """
    return [sys.executable, "-P", "-m", module]


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
