"""Limiter that decodes and encodes video: bounded, and given up when nobody waits for it."""

import logging
import os
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

MAX_STREAMS = 16

UNPLAYABLE = (VideoError, StoreError, av.FFmpegError, OSError, ValueError)
"""What a file that cannot be decoded raises."""

_STEP = 0.25  # seconds of work after which others have their turn
_log = logging.getLogger("framefind.server")
P = ParamSpec("P")
T = TypeVar("T")


class Limiter:
    """Bounds what takes long: so many steps at once, half the cores' number, and so many streams.

    `streams` are those that are open; one that is paused costs memory only.
    """

    def __init__(self) -> None:
        self._steps = anyio.CapacityLimiter(max(1, (os.cpu_count() or 2) // 2))
        self.streams = 0

    async def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread, when it is its turn."""
        return await anyio.to_thread.run_sync(
            partial(function, *args, **kwargs), limiter=self._steps
        )

    async def written(self, steps: Generator[None, None, None], request: Request) -> None:
        """Run all steps of a generator, while somebody waits for it; 503 if there are too many."""
        self._open()
        try:
            while not await self.do(_some, steps):
                if await request.is_disconnected():
                    raise HTTPException(503, "nobody waits for it")
        finally:
            self.streams -= 1
            with anyio.CancelScope(shield=True):
                await self.do(steps.close)

    async def drawn(self, chunks: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
        """What a generator makes, a step at a time, until nobody listens; 503 if too many do."""
        self._open()
        try:
            while (chunk := await self.do(next, chunks, None)) is not None:
                yield chunk
        except UNPLAYABLE as error:
            _log.info("a stream ended early: %s", error)
        finally:
            self.streams -= 1
            with anyio.CancelScope(shield=True):
                await self.do(chunks.close)

    def _open(self) -> None:
        if self.streams >= MAX_STREAMS:
            raise HTTPException(503, "too many videos are playing", {"Retry-After": "10"})
        self.streams += 1


def _some(steps: Generator[None, None, None]) -> bool:
    """Run steps for a short while; returns whether that was all."""
    until = time.monotonic() + _STEP
    return all(time.monotonic() < until for _ in steps)
