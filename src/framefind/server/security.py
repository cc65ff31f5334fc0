"""Who may ask for what: token, cookie, hosts and sizes, checked before any other code runs."""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framefind.files.names import is_below
from framefind.server.problems import problem

_log = logging.getLogger("framefind.server")

MAX_BODY_BYTES = 32 * 2**20
"""Of a request."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""The addresses that need no token, since they reveal nothing."""

_MAX_URL_BYTES = 8192
_MAX_HEADERS_BYTES = 32 * 1024
_MAX_BODY_SECONDS = 30.0  # to receive the whole body of a request
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="framefind"'}
_RESPONSE_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
# Not a redirect: a browser that came by a link of another site would follow it without the cookie,
# whose SameSite is strict.
_OPEN_PAGE = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>framefind</title>'


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """The address that a server is bound to, the names it has, its token, and what it may index.

    `roots` are folders, links resolved; without any, everything may be indexed, if only this
    computer can reach the server.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    names: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(self._valid_hosts()))

    def _valid_hosts(self) -> Iterable[str]:
        """Yield every Host header that names this server."""
        bound = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        for name in ("localhost", "127.0.0.1", "[::1]") if is_loopback(self.host) else (bound,):
            yield f"{name}:{self.port}"
            if self.port == 80:
                yield name
        for name in self.names:
            yield name.lower()
            yield f"{name.lower()}:{self.port}"

    def may_index(self, path: str) -> bool:
        """Return whether a path, links resolved, may be indexed; it need not exist."""
        if not self.roots:
            return is_loopback(self.host)
        return is_below(path, self.roots)

    @property
    def cookie_name(self) -> str:
        """Return the cookie's name, one for each port: browsers share cookies between ports."""
        return f"framefind_{self.port}"

    @property
    def cookie_value(self) -> str:
        """Return the cookie's value, which reveals nothing of the token."""
        return hashlib.blake2b((self.token or "").encode(), person=b"framefind cookie").hexdigest()

    def is_foreign(self, headers: Headers) -> bool:
        """Return whether a page of another site, or of another port, sent the request."""
        if headers.get("sec-fetch-site", "").lower() in ("cross-site", "same-site"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        scheme, _, host = origin.partition("://")
        return scheme not in ("http", "https") or host.lower() not in self.hosts

    def is_authorized(self, headers: Headers) -> bool:
        """Return whether the request has the token, or the cookie that was set for it."""
        if self.token is None:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(token.strip(), self.token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie_name)
        except CookieError:
            return False
        return cookie is not None and _equal(cookie.value, self.cookie_value)

    def log_in(self, query: bytes) -> Response | None:
        """Return a response that sets the cookie, if the query of an address has the token."""
        tokens = parse_qs(query.decode("latin-1")).get("token", [])
        if self.token is None or len(tokens) != 1 or not _equal(tokens[0], self.token):
            return None
        response = HTMLResponse(_OPEN_PAGE, headers={"Cache-Control": "no-store"})
        response.set_cookie(
            self.cookie_name, self.cookie_value, path="/", httponly=True, samesite="strict"
        )
        return response


def _equal(received: str, secret: str) -> bool:
    """Compare in a time that reveals nothing of the secret."""
    return hmac.compare_digest(received.encode("utf-8", "replace"), secret.encode())


def _opens_page(method: str, headers: Headers) -> bool:
    """Return whether a browser follows a link, so that its user sees the response as a page."""
    mode = headers.get("sec-fetch-mode")
    destination = headers.get("sec-fetch-dest", "document")
    return method in ("GET", "HEAD") and mode == "navigate" and destination == "document"


class Guard:
    """ASGI middleware that refuses what `Access` forbids, limits the rest, and adds headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        if refusal := self._refuse(scope, Headers(scope=scope)):
            await refusal(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, _limit_body(receive), send_noted)
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            if has_begun:
                raise
            await problem(500, "the server's log says why")(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        access = self._access
        if headers.get("host", "").lower() not in access.hosts:
            return problem(421, "this server does not answer to that host name")
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_URL_BYTES:
            return problem(414)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADERS_BYTES:
            return problem(431)
        if access.is_foreign(headers) and not _opens_page(scope["method"], headers):
            return problem(403, "pages of other sites may not do that")
        if scope["path"] not in OPEN_PATHS and not access.is_authorized(headers):
            login = access.log_in(scope["query_string"]) if scope["path"] == "/" else None
            return login or problem(
                401, "use the address that the server printed, or its token", None, _AUTHENTICATE
            )
        if scope["path"] == "/" and b"token=" in scope["query_string"]:
            return HTMLResponse(_OPEN_PAGE)  # takes the token out of the address bar
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return problem(413, f"more than {MAX_BODY_BYTES // 2**20} MiB")
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _RESPONSE_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers


def _limit_body(receive: Receive) -> Receive:
    """Limit the size of the request's body and the time to receive it.

    Waiting for the client to leave, once the body is complete, is not limited.
    """
    size = 0
    is_complete = False
    deadline = None

    async def receive_limited() -> Message:
        nonlocal size, is_complete, deadline
        if is_complete:
            return await receive()
        loop = asyncio.get_running_loop()
        deadline = deadline or loop.time() + _MAX_BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receive_limited
