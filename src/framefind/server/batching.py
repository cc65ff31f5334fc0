"""Answering together what is asked at about the same time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.exceptions import HTTPException

_MOST = 64  # that are answered together
_WAITING = 512  # that may wait

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Batcher(Generic[Asked, Given]):
    """Has one function answer many at once: whatever was asked while it answered those before.

    Nobody waits for others to ask. The function runs in a thread, never twice at the same time; it
    gives an answer, or the exception to raise, for each that it is asked.
    """

    def __init__(self, answer: Callable[[Sequence[Asked]], Sequence[Given | Exception]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[Asked, asyncio.Future[Given]]] = []
        self._work: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Given:
        """The answer to one; 503 if too many wait."""
        if len(self._waiting) >= _WAITING:
            raise HTTPException(503, "too much is asked at once", {"Retry-After": "1"})
        future: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._work is None:
            self._work = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            wanted = [(asked, future) for asked, future in taken if not future.done()]
            try:
                given = await asyncio.to_thread(self._answer, [asked for asked, _ in wanted])
            except Exception as error:
                given = [error] * len(wanted)
            for (_, future), each in zip(wanted, given, strict=True):
                if future.done():  # nobody waits for it any more
                    continue
                if isinstance(each, Exception):
                    future.set_exception(each)
                else:
                    future.set_result(each)
        self._work = None
