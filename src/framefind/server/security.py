"""Who may ask what: the rules that every request passes before anything else sees it."""

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

MAX_BODY = 32 * 2**20
"""Bytes of a request's body."""

OPEN = frozenset({"/healthz", "/readyz"})
"""The addresses that need no token: they tell nothing."""

_MAX_URL = 8192
_MAX_HEADERS = 32 * 1024
_BODY_SECONDS = 30.0  # for the whole body of a request
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
# Not a redirect: a browser that came from elsewhere would follow that without the strict cookie.
_ENTER = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>framefind</title>'


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Where a server is bound, which names it answers to, its token, and what it may index.

    `roots` are folders, links resolved; without any, all may be indexed from this computer only.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    names: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(self._hosts()))

    def _hosts(self) -> Iterable[str]:
        """Every Host header that is right."""
        local = is_loopback(self.host)
        bound = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        for name in ("localhost", "127.0.0.1", "[::1]") if local else (bound,):
            yield f"{name}:{self.port}"
            if self.port == 80:
                yield name
        for name in self.names:
            yield name.lower()
            yield f"{name.lower()}:{self.port}"

    def may_index(self, path: str) -> bool:
        """Whether a path, links resolved, may be indexed; without looking whether it is there."""
        if not self.roots:
            return is_loopback(self.host)
        return is_below(path, self.roots)

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers share cookies between the ports of a host."""
        return f"framefind_{self.port}"

    @property
    def secret(self) -> str:
        """The cookie's value: tells whoever reads it nothing of the token."""
        return hashlib.blake2b((self.token or "").encode(), person=b"framefind cookie").hexdigest()

    def foreign(self, headers: Headers) -> bool:
        """Whether a page of another site, or of another port, has sent the request."""
        if headers.get("sec-fetch-site", "").lower() in ("cross-site", "same-site"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        scheme, _, host = origin.partition("://")
        return scheme not in ("http", "https") or host.lower() not in self.hosts

    def knows(self, headers: Headers) -> bool:
        """Whether the request brings the token, or the cookie that was given for it."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self.token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self.secret)

    def enter(self, query: bytes) -> Response | None:
        """The answer to the address that was shown with the token: the cookie, if it is right."""
        given = parse_qs(query.decode("latin-1")).get("token", [])
        if self.token is None or len(given) != 1 or not _same(given[0], self.token):
            return None
        answer = HTMLResponse(_ENTER, headers={"Cache-Control": "no-store"})
        answer.set_cookie(self.cookie, self.secret, path="/", httponly=True, samesite="strict")
        return answer


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _opens_page(method: str, headers: Headers) -> bool:
    """Return whether a browser follows a link, so that its user sees the answer as a page."""
    mode, shown = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest", "document")
    return method in ("GET", "HEAD") and mode == "navigate" and shown == "document"


class Guard:
    """ASGI middleware: refuses what `Access` does not allow, bounds the rest, adds the headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._refusal(scope, Headers(scope=scope))
        protected = _with_headers(send)
        if answer:
            await answer(scope, receive, protected)
            return
        begun = False

        async def begin(message: Message) -> None:
            nonlocal begun
            begun = True
            await protected(message)

        try:
            await self._app(scope, _bounded(receive), begin)
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            if begun:
                raise
            await problem(500, "the server's log says why")(scope, receive, protected)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        access = self._access
        if headers.get("host", "").lower() not in access.hosts:
            return problem(421, "this server does not answer to that host name")
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_URL:
            return problem(414)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADERS:
            return problem(431)
        if access.foreign(headers) and not _opens_page(scope["method"], headers):
            return problem(403, "pages of other sites may not do that")
        if scope["path"] not in OPEN and not access.knows(headers):
            entered = access.enter(scope["query_string"]) if scope["path"] == "/" else None
            return entered or problem(
                401, "open the address that `framefind serve` printed", None, _ASK
            )
        if scope["path"] == "/" and b"token=" in scope["query_string"]:
            return HTMLResponse(_ENTER)  # out of the address bar
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return problem(413, f"more than {MAX_BODY // 2**20} MiB")
        return None


_ASK = {"WWW-Authenticate": 'Bearer realm="framefind"'}


def _with_headers(send: Send) -> Send:
    async def protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return protected


def _bounded(receive: Receive) -> Receive:
    """The same body, if it is small enough and comes in time; the wait for its end is not bound."""
    taken, whole, deadline = 0, False, None

    async def bounded() -> Message:
        nonlocal taken, whole, deadline
        if whole:
            return await receive()
        loop = asyncio.get_running_loop()
        deadline = deadline or loop.time() + _BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > MAX_BODY:
            raise HTTPException(413)
        return message

    return bounded
