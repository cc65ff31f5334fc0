"""What all routes share: HEAD beside every GET, and which methods an address takes."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Router(APIRouter):
    """A router whose GET routes answer HEAD, too, with the same headers."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route, and for one that answers GET another one for HEAD, not described."""
        if "GET" in (options.get("methods") or ["GET"]):
            head = options | {"methods": ["HEAD"], "include_in_schema": False}
            super().add_api_route(path, endpoint, **head)
        super().add_api_route(path, endpoint, **options)


def headers_only(headers: dict[str, str], media_type: str) -> Response:
    """Return the answer to HEAD where the length is known only once the body is made."""
    answer = Response(headers=headers, media_type=media_type)
    del answer.headers["Content-Length"]
    return answer


def allowed(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that the address of a request takes."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
