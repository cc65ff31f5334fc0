"""What code leaves behind once it is done: threads, open files, objects in cycles."""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OURS = ("av.", "framefind.")


def counts(process: int | str = "self") -> tuple[int, int]:
    """Return how many threads and open files a process has."""
    folder = Path("/proc", str(process))
    return len(os.listdir(folder / "task")), len(os.listdir(folder / "fd"))


def resting_counts() -> tuple[int, int]:
    """Return this process's counts once they rest: a thread that was joined is listed a while."""
    now = counts()
    for _ in range(100):
        before = now
        time.sleep(0.02)
        now = counts()
        if now == before:
            break
    return now


@contextmanager
def nothing_left() -> Iterator[None]:
    """Assert that what happens here is undone without the garbage collector."""
    gc.collect()
    gc.disable()
    before = resting_counts()
    try:
        yield
        assert resting_counts() == before
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = {f"{type(each).__module__}.{type(each).__name__}" for each in gc.garbage}
        assert not [kind for kind in kinds if kind.startswith(OURS)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
