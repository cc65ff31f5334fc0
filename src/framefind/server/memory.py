"""Memory that is given back to the system once it is free."""

import ctypes
import sys
from contextlib import suppress

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # parameters of glibc's mallopt
_LARGE = 2**17  # bytes of a block that is given back alone: most pictures are larger
_ARENAS = 2


def limit_malloc() -> None:
    """Have glibc keep little of what decoders free; no other C library needs that.

    By default each of many threads allocates in one of eight arenas per core, and a freed picture
    stays there: hundreds of megabytes in a server that decodes for hours.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # musl has no mallopt
        libc = ctypes.CDLL(None)
        libc.mallopt(_ARENA_MAX, _ARENAS)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
