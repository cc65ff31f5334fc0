"""Bounds on the work of decoding and encoding video, which ends when its client has left."""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
import av
from fastapi import Request
from starlette.exceptions import HTTPException

from framefind.errors import StoreError, VideoError
from framefind.processes import cores

MAX_STREAMS = 16

UNPLAYABLE = (VideoError, av.FFmpegError, OSError, ValueError)
"""What a file that cannot be decoded raises."""

_TURN_SECONDS = 0.25  # of one client's work, until the others have their turn
_log = logging.getLogger("framefind.server")
P = ParamSpec("P")
T = TypeVar("T")


class Limiter:
    """Runs work in threads, on half of the cores at a time, and bounds the number of open streams.

    `streams` counts the open ones; one that is paused costs memory only.
    """

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(max(1, cores() // 2))
        self.streams = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread, as soon as one is free; return its result."""
        return await anyio.to_thread.run_sync(
            partial(function, *args, **kwargs), limiter=self._threads
        )

    async def exhaust(self, steps: Generator[None, None, None], request: Request) -> None:
        """Run all steps of a generator while the client waits.

        Raises HTTPException 503 if the client leaves, or if too many streams are open.
        """
        self._open_stream()
        try:
            while not await self.run(_take_turn, steps):
                if await request.is_disconnected():
                    raise HTTPException(503, "nobody waits for it")
        finally:
            self.streams -= 1
            with anyio.CancelScope(shield=True):
                await self.run(steps.close)

    async def stream(self, chunks: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
        """Yield the chunks of a generator as they are asked for, and close it at the end.

        Raises HTTPException 503 if too many streams are open, and StoreError if there is no first
        chunk because of it; later errors end the stream.
        """
        self._open_stream()
        has_begun = False
        try:
            while (chunk := await self.run(next, chunks, None)) is not None:
                has_begun = True
                yield chunk
        except (*UNPLAYABLE, StoreError) as error:
            if isinstance(error, StoreError) and not has_begun:
                raise
            _log.info("a stream ended early: %s", error)
        finally:
            self.streams -= 1
            with anyio.CancelScope(shield=True):
                await self.run(chunks.close)

    def _open_stream(self) -> None:
        if self.streams >= MAX_STREAMS:
            raise HTTPException(503, "too many videos are playing", {"Retry-After": "10"})
        self.streams += 1


def _take_turn(steps: Generator[None, None, None]) -> bool:
    """Run steps for a short time; return whether they are all done."""
    end = time.monotonic() + _TURN_SECONDS
    return all(time.monotonic() < end for _ in steps)
