"""Answer requests that arrive at about the same time together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.exceptions import HTTPException

_MAX_BATCH = 64
_MAX_WAITING = 512

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batcher(Generic[Question, Answer]):
    """Passes questions to one function, many at once: all that arrived while it was busy.

    No question waits for others to arrive. The function runs in a thread, never twice at the same
    time, and returns an answer, or the exception to raise, for each question.
    """

    def __init__(
        self, function: Callable[[Sequence[Question]], Sequence[Answer | Exception]]
    ) -> None:
        self._function = function
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """Return the answer to one question. Raises HTTPException 503 if too many wait."""
        if len(self._waiting) >= _MAX_WAITING:
            raise HTTPException(503, "too many searches at once", {"Retry-After": "1"})
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await future

    async def _answer_all(self) -> None:
        while self._waiting:
            # Who gave up while waiting has a future that is done.
            batch = [pair for pair in self._waiting[:_MAX_BATCH] if not pair[1].done()]
            self._waiting = self._waiting[_MAX_BATCH:]
            questions = [question for question, _ in batch]
            try:
                answers = await asyncio.to_thread(self._function, questions)
            except Exception as error:
                answers = [error] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        self._task = None
