"""Bounds on how long a client may take to say what it wants, and to take what it gets.

uvicorn itself waits for ever: a few thousand such connections would keep everybody else out.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

_HEADERS_SECONDS = 20.0
_SEND_SECONDS = 600.0  # without the client taking anything: a paused player waits this long
_LOOK = 5.0  # seconds between two looks

Address = tuple[str, int]


class ActiveClients:
    """ASGI middleware that knows which clients are being answered, by address and port.

    `asked` are those that have finished a request's head since that was last looked at.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.clients: set[Address] = set()
        self.asked: set[Address] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        client = tuple(scope.get("client") or ())
        self.clients.add(client)
        self.asked.add(client)
        try:
            await self._app(scope, receive, send)
        finally:
            self.clients.discard(client)


class _TimedProtocol(asyncio.Protocol):
    """Passes everything on to a protocol; hangs up on a client that asks for or takes nothing."""

    def __init__(self, protocol: asyncio.Protocol, busy: ActiveClients) -> None:
        self._protocol, self._busy = protocol, busy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._idle = transport, 0.0
        self._is_full, self._stuck = False, 0.0
        self._client = tuple((transport.get_extra_info("peername") or ())[:2])
        self._protocol.connection_made(transport)
        self._look = asyncio.get_running_loop().call_later(_LOOK, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._look.cancel()
        self._busy.asked.discard(self._client)
        self._protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Note that the client does not take what it gets, and pass it on."""
        self._is_full, self._stuck = True, 0.0
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Note that the client takes it again, and pass it on."""
        self._is_full = False
        self._protocol.resume_writing()

    def _check(self) -> None:
        active = self._client in self._busy.clients | self._busy.asked
        self._busy.asked.discard(self._client)
        self._idle = 0.0 if active else self._idle + _LOOK
        self._stuck = self._stuck + _LOOK if self._is_full else 0.0
        if self._stuck >= _SEND_SECONDS:
            self._transport.abort()  # what it does not take cannot be sent before
        elif self._idle >= _HEADERS_SECONDS:
            self._transport.close()
        else:
            self._look = asyncio.get_running_loop().call_later(_LOOK, self._check)


if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop


class TimeoutLoop(_Loop):
    """An event loop whose servers hang up on clients that do not finish a request's head in time.

    uvicorn has no such bound, and no documented place for one.
    """

    def __init__(self, busy: ActiveClients) -> None:
        super().__init__()
        self._busy = busy

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *args: Any, **options: Any
    ) -> asyncio.Server:
        """Listen as asyncio does."""

        def patient() -> asyncio.Protocol:
            return _TimedProtocol(protocol_factory(), self._busy)

        return await super().create_server(patient, *args, **options)
