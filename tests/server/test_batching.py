import asyncio
import threading
from collections.abc import Sequence

import pytest
from serving import alone
from starlette.exceptions import HTTPException

from framefind.server.batching import Batcher


class Doubling:
    """Doubles numbers, when it is let; refuses the odd ones."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        assert self.go.wait(10)
        self.batches.append(list(numbers))
        return [ValueError(str(n)) if n % 2 else 2 * n for n in numbers]


def test_what_is_asked_meanwhile_is_answered_in_one_go():
    doubling = Doubling()

    async def ask() -> list[object]:
        together = Batcher(doubling)
        asked = [asyncio.create_task(together.ask(n)) for n in range(100)]
        await asyncio.sleep(0.05)
        doubling.go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = alone(ask())
    assert answers[::2] == [2 * n for n in range(0, 100, 2)]
    assert [str(error) for error in answers[1::2]] == [str(n) for n in range(1, 100, 2)]
    assert sorted(n for batch in doubling.batches for n in batch) == list(range(100))
    assert len(doubling.batches) <= 3


def test_who_gives_up_is_not_answered_and_spoils_nothing():
    doubling = Doubling()

    async def ask() -> int:
        together = Batcher(doubling)
        first, gone, last = (asyncio.create_task(together.ask(n)) for n in (2, 4, 6))
        await asyncio.sleep(0.05)
        gone.cancel()
        doubling.go.set()
        assert await first == 4
        return await last

    assert alone(ask()) == 12


def test_too_many_are_refused():
    doubling = Doubling()

    async def ask() -> None:
        together = Batcher(doubling)
        asked = [asyncio.create_task(together.ask(0)) for _ in range(600)]
        await asyncio.sleep(0.05)
        doubling.go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [error for error in answers if isinstance(error, HTTPException)]
        assert 0 < len(refused) < 600
        assert {error.status_code for error in refused} == {503}
        assert answers.count(0) == 600 - len(refused)
        assert await together.ask(4) == 8

    alone(ask())


def test_a_failure_is_told_to_all_and_the_next_are_answered():
    def fail(asked: Sequence[int]) -> list[int | Exception]:
        if 1 in asked:
            raise RuntimeError("broken")
        return list(asked)

    async def ask() -> None:
        together = Batcher(fail)
        with pytest.raises(RuntimeError):
            await together.ask(1)
        assert await together.ask(2) == 2

    alone(ask())
