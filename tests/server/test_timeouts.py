"""A connection that is used is kept, one that asks for nothing is not."""

import asyncio
import socket
from contextlib import suppress

import pytest
import uvicorn
from serving import alone

from framefind.server import timeouts
from framefind.server.security import Access, Guard
from framefind.server.streaming import GeneratorResponse
from framefind.server.timeouts import ActiveClients, TimeoutLoop


class Echo(asyncio.Protocol):
    """Answers whatever comes, as an application behind `busy` does."""

    def __init__(self, busy: ActiveClients) -> None:
        self.busy = busy

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        scope = {"client": self.transport.get_extra_info("peername")[:2]}
        if data == b"whole":
            asyncio.ensure_future(self.busy(scope, None, None))  # noqa: RUF006
        self.transport.write(data)


def test_a_client_that_takes_nothing_is_hung_up_on_without_a_traceback(monkeypatch, caplog):
    monkeypatch.setattr(timeouts, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(timeouts, "_MAX_STALLED_SECONDS", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    closed = []

    async def endless():
        try:
            while True:
                await asyncio.sleep(0.01)  # as for a disk
                yield bytes(2**20)
        finally:
            closed.append(True)

    async def app(scope, receive, send):
        await GeneratorResponse(endless())(scope, receive, send)

    busy = ActiveClients(Guard(app, Access(port=port)))
    config = uvicorn.Config(busy, http="h11", lifespan="off", log_config=None)
    server = uvicorn.Server(config)

    async def ask() -> None:
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while not closed:
            await asyncio.sleep(0.05)
        writer.transport.abort()
        server.should_exit = True
        await serving

    alone(asyncio.wait_for(ask(), 60), lambda: TimeoutLoop(busy))
    assert busy.answering == set()
    assert [one.getMessage() for one in caplog.records if one.levelname != "INFO"] == []


@pytest.mark.parametrize(("said", "kept"), [(b"whole", True), (b"part", False)])
def test_only_whole_requests_keep_it(said, kept, monkeypatch):
    monkeypatch.setattr(timeouts, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(timeouts, "_MAX_IDLE_SECONDS", 1.0)

    async def app(scope, receive, send):
        """Answer at once: whoever looks now and then never sees it."""

    busy = ActiveClients(app)

    async def ask() -> int:
        server = await asyncio.get_running_loop().create_server(lambda: Echo(busy), "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()[:2]
            reader, writer = await asyncio.open_connection(*address)
            answers = 0
            for _ in range(100):  # for twice as long as a silent one is kept
                writer.write(said)
                with suppress(ConnectionResetError):  # what is written after the end
                    if await reader.read(100):
                        answers += 1
                        await asyncio.sleep(0.02)
                        continue
                break
            writer.close()
            return answers

    answers = alone(ask(), lambda: TimeoutLoop(busy))
    assert (answers == 100) is kept
    assert busy.seen == busy.answering == set()
