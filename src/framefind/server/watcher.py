"""The watch over folders, in a process of its own, for as long as the server runs."""

import asyncio
import json
import logging
from collections.abc import Sequence

from framefind.library import Library
from framefind.server import index_job

_STOP_SECONDS = 30.0  # that it has to commit what it has done
_RESTART_SECONDS = 60.0
_log = logging.getLogger("framefind.server")


async def watch(library: Library, folders: Sequence[str]) -> None:
    """Watch folders until the task is cancelled; what is done until then is committed.

    A watch that ends by itself, such as one whose process was killed, is begun again.
    """
    trouble = ""
    while True:
        error = await _run(library, folders)
        if error != trouble:
            _log.error("the watch has ended: %s; it is begun again every minute", error)
        trouble = error
        await asyncio.sleep(_RESTART_SECONDS)


async def _run(library: Library, folders: Sequence[str]) -> str:
    """Watch until the process ends by itself; return why."""
    process = await index_job.start(library, watch=[*folders])
    assert process.stdin
    assert process.stdout
    try:
        message = await process.stdout.read()
        code = await process.wait()
        ended = f"its process ended with {code}"
        return str(json.loads(message).get("error", ended)) if message else ended
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
