"""Freed memory, which glibc keeps: hundreds of megabytes in a server that decodes for hours."""

import ctypes
import sys
from contextlib import suppress
from functools import cache
from typing import Any

_MALLOPT_ARENA_MAX = -8  # glibc's number for the parameter
_MAX_ARENAS = 2


def limit_arenas() -> None:
    """Have all threads allocate in two places; by default there are eight per core.

    Limits on what glibc keeps would cost more than they save: a third of the time of a search, to
    get the memory of its arrays from the system again and again.
    """
    libc = _libc()
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(_MALLOPT_ARENA_MAX, _MAX_ARENAS)


def give_back() -> None:
    """Return what is free now to the system. Other C libraries do so by themselves."""
    libc = _libc()
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


@cache
def _libc() -> Any:
    """Return the C library on Linux; None elsewhere, or where it cannot be loaded."""
    if sys.platform == "linux":
        with suppress(OSError):
            return ctypes.CDLL(None)
    return None
