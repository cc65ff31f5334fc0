"""What all routes share: HEAD beside every GET, and the methods that an address takes."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Router(APIRouter):
    """A router whose GET routes also answer HEAD, with the same headers."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route, and for GET another one for HEAD that the API description leaves out."""
        if "GET" in (options.get("methods") or ["GET"]):
            head = options | {"methods": ["HEAD"], "include_in_schema": False}
            super().add_api_route(path, endpoint, **head)
        super().add_api_route(path, endpoint, **options)


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that the address of a request takes."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
