"""A run of `index` in a process of its own, so that searches go on: `python -m …server.worker`.

Reads what to do as one line of JSON on stdin, and stops cleanly when stdin ends: when it is told
to, or when the server is gone. Writes lines of JSON on stdout, each with one of `progress`,
`report`, `error` or `cancelled`.
"""

import _thread
import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framefind.types import Progress

_NICE = 5


def main() -> None:
    """Do one job."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)  # what is searched for meanwhile comes first
    from framefind.errors import FramefindError
    from framefind.library import Library

    try:
        library = Library(order["library"], device=order["device"])
        report = library.index(order["path"], roots=order["roots"], on_progress=_progress)
        _say("report", asdict(report))
    except FramefindError as error:
        _say("error", str(error))
    except KeyboardInterrupt:
        _say("cancelled", True)


def _watch() -> None:
    while sys.stdin.read(1):
        pass
    _thread.interrupt_main()


def _progress(progress: "Progress") -> None:
    _say("progress", asdict(progress))


def _say(kind: str, value: Any) -> None:
    with suppress(OSError):  # the server is gone
        print(json.dumps({kind: value}), flush=True)


if __name__ == "__main__":
    main()
