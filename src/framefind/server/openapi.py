"""The OpenAPI description: what FastAPI derives from the routes, and what it cannot know."""

from typing import Any

from fastapi import FastAPI

from framefind.server.problems import MEDIA_TYPE
from framefind.server.security import OPEN_PATHS, Access

_SUCCESSES = {"200", "202", "206", "304"}


def install(app: FastAPI, access: Access) -> None:
    """Add problem documents and the token to the description of `app`."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            api = generate()
            _describe_problems(api)
            _describe_token(api, access)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_problems(api: dict[str, Any]) -> None:
    """Describe every error of every operation as a problem document."""
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in api["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses["default"] = {"description": "A problem"}
            for status in responses.keys() - _SUCCESSES:
                responses[status]["content"] = {MEDIA_TYPE: reference}
    schemas = api["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, never sent
        schemas.pop(name, None)


def _describe_token(api: dict[str, Any], access: Access) -> None:
    """Describe both ways to send the token; they are required if this server has one."""
    api["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that `framefind serve` prints, if it needs one.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": access.cookie_name,
            "description": "What a browser gets from the address that was printed with the token.",
        },
    }
    if access.token is None:
        return
    api["security"] = [{"token": []}, {"cookie": []}]
    for path in OPEN_PATHS & api["paths"].keys():
        for operation in api["paths"][path].values():
            operation["security"] = []
