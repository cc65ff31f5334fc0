"""Responses that are made while they are sent, and given up when the client leaves."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import quote

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

Chunks = AsyncGenerator[bytes, None] | AsyncGenerator[str, None]


class GeneratorResponse(StreamingResponse):
    """Sends the chunks of an async generator, and closes it however the response ends.

    `cleanup` is awaited then, too, even if nothing was sent. HEAD gets the headers alone.
    """

    def __init__(
        self,
        chunks: Chunks,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        cleanup: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(chunks, status_code, headers, media_type)
        self._chunks = chunks
        self._cleanup = cleanup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; a client that leaves is no error."""
        try:
            if scope["method"] == "HEAD":
                await self._send_headers(send)
            else:
                with suppress(ClientDisconnect):
                    await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._chunks.aclose()
                if self._cleanup:
                    await self._cleanup()

    async def _send_headers(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b""})


def attachment(name: str) -> str:
    """Return the Content-Disposition (RFC 6266) of a file that a browser saves under that name."""
    return f"attachment; filename*=utf-8''{quote(name)}"


def headers_only(headers: dict[str, str], media_type: str) -> Response:
    """Return the response to HEAD whose length is not known before the body is made."""
    response = Response(headers=headers, media_type=media_type)
    del response.headers["Content-Length"]
    return response
