"""The page's own files: read once, sent with an ETag, and asked for again at every use."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from framefind.server.playback.ranges import matches

_PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# The names do not change when the files do: a browser may keep them, but has to ask.
_CACHING = "private, no-cache"


def routes() -> list[Route]:
    """Return a route for every file of the page, for GET and HEAD; `/` is its start."""
    files = [path for path in sorted(_PAGE.rglob("*")) if path.suffix in _TYPES]
    named = [(f"/{path.relative_to(_PAGE).as_posix()}", path) for path in files]
    return [Route(name, _sent(path)) for name, path in [("/", _PAGE / "index.html"), *named]]


def _sent(path: Path) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers with the file: 200, or 304 to who has it already."""
    content = path.read_bytes()
    etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": _CACHING}
    media_type = _TYPES[path.suffix]

    async def send(request: Request) -> Response:
        if matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return send
