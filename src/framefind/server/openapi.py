"""The OpenAPI description: what FastAPI makes of the routes, and what it cannot know."""

from typing import Any

from fastapi import FastAPI

from framefind.server.problems import MEDIA_TYPE
from framefind.server.security import OPEN, Access

_GOOD = {"200", "202", "206", "304"}


def install(app: FastAPI, access: Access) -> None:
    """Have the description of `app` tell of problem documents and of the token."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            api = made()
            _describe_problems(api)
            _describe_token(api, access)
        return made()

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_problems(api: dict[str, Any]) -> None:
    """Have every operation answer what goes wrong with a problem document, and nothing else."""
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in api["paths"].values():
        for operation in operations.values():
            answered = operation["responses"]
            answered["default"] = {"description": "A problem"}
            for status in answered.keys() - _GOOD:
                answered[status]["content"] = {MEDIA_TYPE: reference}
    schemas = api["components"]["schemas"]
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)


def _describe_token(api: dict[str, Any], access: Access) -> None:
    """Name the two ways to bring the token; they are required where this server asks for one."""
    words = "The token that `framefind serve` shows, where it asks for one."
    api["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": words},
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": access.cookie,
            "description": "What a browser gets from the address that was shown with the token.",
        },
    }
    if access.token is None:
        return
    api["security"] = [{"token": []}, {"cookie": []}]
    for path in OPEN & api["paths"].keys():
        for operation in api["paths"][path].values():
            operation["security"] = []
