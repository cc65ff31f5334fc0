"""A bound on how long a client may take to say what it wants."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADERS_SECONDS = 20.0
_LOOK = 5.0  # seconds between two looks


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on who does not finish the head of a request in time.

    uvicorn itself waits for ever: a few thousand such connections would keep everybody else out.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._idle = 0.0
        self._look: Any = self.loop.call_later(_LOOK, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._look.cancel()
        super().connection_lost(exc)

    def _check(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        self._idle = 0.0 if busy else self._idle + _LOOK
        if self._idle >= _HEADERS_SECONDS:
            self.transport.close()
        else:
            self._look = self.loop.call_later(_LOOK, self._check)
