"""The files of the page: read once, sent with an ETag, and validated by browsers at every use."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from framefind.server.conditions import matches_etag

# Not Starlette's StaticFiles: its ETag is made of time and size, and all files of a wheel have the
# same time, so that a browser would keep an old file of the same size after an upgrade.
_PAGE = Path(__file__).with_name("page")
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_CACHE_CONTROL = "private, no-cache"  # a browser may keep a file, but has to ask if it changed


def routes() -> list[Route]:
    """Return a route for every file of the page, for GET and HEAD; `/` is `index.html`."""
    files = [path for path in sorted(_PAGE.rglob("*")) if path.suffix in _MEDIA_TYPES]
    routes = [Route(f"/{path.relative_to(_PAGE).as_posix()}", _endpoint(path)) for path in files]
    return [Route("/", _endpoint(_PAGE / "index.html")), *routes]


def _endpoint(path: Path) -> Callable[[Request], Awaitable[Response]]:
    """Return a function that sends the file, or 304 to a browser that has it."""
    content = path.read_bytes()
    etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": _CACHE_CONTROL}
    media_type = _MEDIA_TYPES[path.suffix]

    async def send(request: Request) -> Response:
        if matches_etag(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return send
