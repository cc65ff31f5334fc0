"""The process of one indexing job, or of the watch: `python -m framefind.server.index_job`.

Reads the job as one line of JSON from stdin, and stops cleanly when stdin ends: the server closes
it, or is gone. Writes messages to stdout, one line of JSON each, with one of `progress`, `report`,
`error` or `cancelled`.
"""

import _thread
import asyncio
import json
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from framefind.processes import python_command

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.reports import Progress, Report

_NICENESS = 5  # searches in the server come first
_BUSY_SECONDS = 120.0  # that a job waits for others that write; a watch gives way within 60
_RETRY_SECONDS = 0.2
_MAX_LINE_BYTES = 2**28  # of a message


async def start(library: "Library", **job: Any) -> asyncio.subprocess.Process:
    """Start the process of a job in a library: `path` and `roots` of an index, or `watch`."""
    process = await asyncio.create_subprocess_exec(
        *python_command("framefind.server.index_job"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_MAX_LINE_BYTES,
    )
    assert process.stdin
    line = {"library": library.uri, "device": library.choice.device, **job}
    process.stdin.write(json.dumps(line).encode() + b"\n")
    return process


def main() -> None:
    """Run one job."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        _run(job)
    except KeyboardInterrupt:
        _write("cancelled", True)


def _run(job: dict[str, Any]) -> None:
    from framefind.errors import FramefindError
    from framefind.library import Library

    try:
        library = Library(job["library"], device=job["device"])
        if "watch" in job:
            library.watch(job["watch"])
        else:
            _write("report", asdict(_index(library, job)))
    except FramefindError as error:
        _write("error", str(error))


def _index(library: "Library", job: dict[str, Any]) -> "Report":
    """Index a path as soon as nothing else writes to the library, such as the server's watch."""
    from framefind.errors import BusyError

    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return library.index(job["path"], roots=job["roots"], on_progress=_report_progress)
        except BusyError:
            if time.monotonic() >= end:
                raise
            time.sleep(_RETRY_SECONDS)


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
