"""Limits on how long a client may take to send a request, and to receive its response.

uvicorn waits for ever, and has no option or hook for it, so a few thousand slow connections would
keep everybody else out. The event loop that it runs in is ours, by asyncio's public means: it wraps
the protocol of each connection.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

_MAX_IDLE_SECONDS = 20.0  # without a whole head of a request
_MAX_STALLED_SECONDS = 600.0  # without receiving anything: a paused player waits this long
_CHECK_SECONDS = 5.0  # between two looks at a connection

Address = tuple[str, int]


class ActiveClients:
    """ASGI middleware that knows which clients are being answered, by address and port.

    `seen` are those whose request came since the connection was last checked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.answering: set[Address] = set()
        self.seen: set[Address] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        client = tuple(scope.get("client") or ())
        self.answering.add(client)
        self.seen.add(client)
        try:
            await self._app(scope, receive, send)
        finally:
            self.answering.discard(client)


class _TimedProtocol(asyncio.Protocol):
    """Passes everything on to a protocol, and closes the connections of slow clients."""

    def __init__(self, protocol: asyncio.Protocol, clients: ActiveClients) -> None:
        self._protocol = protocol
        self._clients = clients
        self._is_full = False
        self._idle_seconds = 0.0
        self._stalled_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to check the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._client = tuple((transport.get_extra_info("peername") or ())[:2])
        self._protocol.connection_made(transport)
        self._timer = asyncio.get_running_loop().call_later(_CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop checking."""
        self._timer.cancel()
        self._clients.seen.discard(self._client)
        self._protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Note that the client receives nothing, and pass it on."""
        self._is_full = True
        self._stalled_seconds = 0.0
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Note that the client receives again, and pass it on."""
        self._is_full = False
        self._protocol.resume_writing()

    def _check(self) -> None:
        is_active = self._client in self._clients.answering | self._clients.seen
        self._clients.seen.discard(self._client)
        self._idle_seconds = 0.0 if is_active else self._idle_seconds + _CHECK_SECONDS
        self._stalled_seconds = self._stalled_seconds + _CHECK_SECONDS if self._is_full else 0.0
        if self._stalled_seconds >= _MAX_STALLED_SECONDS:
            self._transport.abort()  # closing would wait for what the client does not receive
        elif self._idle_seconds >= _MAX_IDLE_SECONDS:
            self._transport.close()
        else:
            self._timer = asyncio.get_running_loop().call_later(_CHECK_SECONDS, self._check)


if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop


class TimeoutLoop(_Loop):
    """An event loop whose servers close the connections of clients that are too slow."""

    def __init__(self, clients: ActiveClients) -> None:
        super().__init__()
        self._clients = clients

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *args: Any, **options: Any
    ) -> asyncio.Server:
        """Listen as asyncio does, with the protocol of every connection wrapped."""

        def create_protocol() -> asyncio.Protocol:
            return _TimedProtocol(protocol_factory(), self._clients)

        return await super().create_server(create_protocol, *args, **options)
