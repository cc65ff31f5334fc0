"""A connection that is used is kept, one that asks for nothing is not."""

import asyncio

import pytest

from framefind.server import connections
from framefind.server.connections import Busy, PatientLoop


class Echo(asyncio.Protocol):
    """Answers whatever comes, as an application behind `busy` does."""

    def __init__(self, busy: Busy) -> None:
        self.busy = busy

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        scope = {"client": self.transport.get_extra_info("peername")[:2]}
        if data == b"whole":
            asyncio.ensure_future(self.busy(scope, None, None))  # noqa: RUF006
        self.transport.write(data)


@pytest.mark.parametrize(("said", "kept"), [(b"whole", True), (b"part", False)])
def test_only_whole_requests_keep_it(said, kept, monkeypatch):
    monkeypatch.setattr(connections, "_LOOK", 0.05)
    monkeypatch.setattr(connections, "_HEADERS_SECONDS", 1.0)

    async def app(scope, receive, send):
        """Answer at once: whoever looks now and then never sees it."""

    busy = Busy(app)

    async def ask() -> int:
        server = await asyncio.get_running_loop().create_server(lambda: Echo(busy), "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()[:2]
            reader, writer = await asyncio.open_connection(*address)
            answers = 0
            for _ in range(100):  # for twice as long as a silent one is kept
                writer.write(said)
                if not await reader.read(100):
                    break
                answers += 1
                await asyncio.sleep(0.02)
            writer.close()
            return answers

    with asyncio.Runner(loop_factory=lambda: PatientLoop(busy)) as runner:
        answers = runner.run(ask())
    assert (answers == 100) is kept
    assert busy.asked == busy.clients == set()
