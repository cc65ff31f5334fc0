"""Share the cores out among the processes of pytest-xdist, before NumPy starts a thread on each.

Threads of several processes that wait for each other on the same cores take longer than one thread.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_CORE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
"""The cores of the whole run; none where a process cannot choose among them."""

if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and EVERY_CORE:
    number, count = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.sched_setaffinity(0, sorted(EVERY_CORE)[number::count] or EVERY_CORE)


@contextmanager
def every_core() -> Iterator[None]:
    """Let this thread, and the threads and processes that it starts, use the cores of all."""
    if not EVERY_CORE:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, EVERY_CORE)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
