"""The process of one indexing job: `python -m framefind.server.index_job`.

Reads the job as one line of JSON from stdin, and stops cleanly when stdin ends: the server closes
it, or is gone. Writes messages to stdout, one line of JSON each, with one of `progress`, `report`,
`error` or `cancelled`.
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
    from framefind.reports import Progress

_NICENESS = 5  # searches in the server come first


def main() -> None:
    """Run one job."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    from framefind.errors import FramefindError
    from framefind.library import Library

    try:
        library = Library(job["library"], device=job["device"])
        report = library.index(job["path"], roots=job["roots"], on_progress=_report_progress)
        _write("report", asdict(report))
    except FramefindError as error:
        _write("error", str(error))
    except KeyboardInterrupt:
        _write("cancelled", True)


def _interrupt_at_end_of_input() -> None:
    while sys.stdin.read(1):
        pass
    _thread.interrupt_main()


def _report_progress(progress: "Progress") -> None:
    _write("progress", asdict(progress))


def _write(kind: str, value: Any) -> None:
    with suppress(OSError):  # the server is gone
        print(json.dumps({kind: value}), flush=True)


if __name__ == "__main__":
    main()
