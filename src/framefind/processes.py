"""Python processes of framefind's own: decoders, indexing jobs, and builders of indexes."""

import os
import sys

from framefind.errors import LibraryError

MIN_ADDRESS_SPACE = 3 * 10**9
"""Bytes of address space that reading and writing tables may take; far less of it is used."""


def check_memory() -> None:
    """Raise LibraryError under a limit that tables cannot be worked on with.

    Within it, delta-rs and Arrow do not fail: they abort the process, or wait for ever.
    """
    if sys.platform == "win32":
        return
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    min_limit = MIN_ADDRESS_SPACE
    if limit != resource.RLIM_INFINITY and limit < min_limit:
        raise LibraryError(
            f"this process is limited to {limit / 1e9:.1f} GB of address space; framefind needs "
            f"{min_limit / 1e9:.0f} GB: raise the limit, `ulimit -v {min_limit // 1000}`"
        )


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
