"""Follow folders: which paths may have changed, by the system's events or by looking."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence

from framefind.files.mounts import is_far
from framefind.files.objects import is_remote

POLL_SECONDS = 3.0
"""Seconds between two looks at a folder without change events, if looking is quick."""

STORE_POLL_SECONDS = 60.0
"""The same for object stores, where every look is paid for."""

SWEEP_SECONDS = 300.0
"""Seconds between two looks at a folder with change events, in case some got lost."""

_MAX_POLL_SHARE = 0.1  # share of the time that looking may take
_TICK_SECONDS = 0.4
_STEP_MILLISECONDS = 50  # without another event, until those so far are handed on
_LOST = "\ufffd"  # what stands for bytes of a name that are not UTF-8

_log = logging.getLogger(__name__)


def follow(roots: Sequence[str], stop: threading.Event) -> Iterator[set[str]]:
    """Yield sets of real paths to look at, with all below them; empty ones as time passes.

    `roots` are real paths of folders and files, and URIs; each is yielded itself at the beginning,
    when it appears, and every now and then. What is done between two sets counts as looking.
    """
    due = dict.fromkeys(roots, 0.0)
    silent: dict[str, float] = {}  # roots whose events cannot be had, and until when
    troubles: set[str] = set()
    while not stop.is_set():
        polled = {root for root in roots if root in silent or _tells_nothing(root)}
        watched = [root for root in roots if root not in polled]
        places = {root: _place(root) for root in watched}
        present = [root for root in watched if places[root]]
        try:
            for changed in _listen(present, stop):
                yield changed
                yield from _look(due, polled)
                now = time.monotonic()
                rested = [root for root, until in silent.items() if now >= until]
                moved = [root for root in watched if _place(root) != places[root]]
                if rested or moved:  # or unplugged, mounted, deleted, made
                    for root in rested:
                        del silent[root]
                    due |= dict.fromkeys([*rested, *moved], 0.0)
                    break
        except (OSError, RuntimeError) as error:
            due |= dict.fromkeys(present, 0.0)
            if not all(map(_place, present)):  # one has just gone, and may come again
                continue
            trouble = f"no events from {', '.join(present)} ({error}): looking instead"
            if trouble not in troubles:
                troubles.add(trouble)
                _log.warning("%s", trouble)
            silent |= dict.fromkeys(present, time.monotonic() + SWEEP_SECONDS)


def _look(due: dict[str, float], polled: set[str]) -> Iterator[set[str]]:
    """Yield the roots that are due, and note when they will be again."""
    for root, when in due.items():
        began = time.monotonic()
        if began < when:
            continue
        yield {root}
        now = time.monotonic()
        pause = POLL_SECONDS if root in polled else SWEEP_SECONDS
        pause = STORE_POLL_SECONDS if is_remote(root) else pause
        due[root] = now + max(pause, (now - began) / _MAX_POLL_SHARE)


def _listen(folders: Sequence[str], stop: threading.Event) -> Iterator[set[str]]:
    """Yield what changed in some folders, by the system's events, and empty sets in between."""
    if not folders:
        while not stop.wait(_TICK_SECONDS):
            yield set()
        return
    from watchfiles import watch

    tick = round(1000 * _TICK_SECONDS)
    for changes in watch(
        *folders,
        watch_filter=None,
        debounce=tick,
        step=_STEP_MILLISECONDS,
        rust_timeout=tick,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        force_polling=False,
        ignore_permission_denied=True,
    ):
        yield {_readable(path) for _, path in changes}


def _readable(path: str) -> str:
    """Return the path, or the innermost folder above it whose name came whole."""
    while _LOST in path:
        path = os.path.dirname(path)
    return path


def _tells_nothing(root: str) -> bool:
    """Return whether changes of a root come without events: of stores, far drives, and files."""
    return is_remote(root) or os.path.isfile(root) or is_far(root)


def _place(root: str) -> tuple[int, int] | None:
    """Return the device and the number of a folder; None if it cannot be listed."""
    try:
        facts = os.stat(root)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
