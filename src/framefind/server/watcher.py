"""The watch over folders, in a process of its own, for as long as the server runs."""

import asyncio
import json
import logging
from collections.abc import Sequence

from framefind.library import Library
from framefind.processes import python_command

_STOP_SECONDS = 30.0  # that it has to commit what it has done
_log = logging.getLogger("framefind.server")


async def watch(library: Library, folders: Sequence[str]) -> None:
    """Watch folders until the task is cancelled; what is done until then is committed."""
    process = await asyncio.create_subprocess_exec(
        *python_command("framefind.server.index_job"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    order = {"library": library.uri, "device": library.choice.device, "watch": [*folders]}
    process.stdin.write(json.dumps(order).encode() + b"\n")
    try:
        message = await process.stdout.read()
        _log.error("the watch has ended: %s", json.loads(message or b"{}").get("error", message))
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
