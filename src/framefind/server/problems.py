"""Errors as RFC 9457 problem documents, which reveal nothing about the file system."""

import http
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from framefind.errors import FramefindError, LibraryError, QueryError, StoreError
from framefind.server.routing import allowed_methods

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("framefind.server")


class Invalid(BaseModel):
    """One field of a request that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[Invalid] | None = Field(None, description="The fields that are wrong.")


def problem(
    status: int,
    detail: str | None = None,
    errors: list[Invalid] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem document as a response."""
    document = Problem(
        title=http.HTTPStatus(status).phrase, status=status, detail=detail, errors=errors
    )
    content = document.model_dump(exclude_none=True)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def describe_responses(
    model: type[BaseModel] | None, *statuses: int, media: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route, for OpenAPI: a model or media type, or these problems."""
    described: dict[int | str, dict[str, Any]] = {}
    if model:
        described[200] = {"model": model}
    elif media:
        binary = {"type": "string", "format": "binary"}
        described[200] = {"content": {media: {"schema": binary}}}
    return described | {
        status: {"model": Problem, "description": http.HTTPStatus(status).phrase}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(FramefindError, _on_framefind_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = http.HTTPStatus(error.status_code).phrase
    detail = None if error.detail == phrase else error.detail
    headers = dict(error.headers or {})
    if error.status_code == 405:  # a route knows its own methods only
        headers["Allow"] = ", ".join(allowed_methods(request.app.routes, request.scope))
    return problem(error.status_code, detail, headers=headers)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        Invalid(field=".".join(map(str, invalid["loc"][1:])), message=invalid["msg"])
        for invalid in error.errors()
    ]
    return problem(422, "the request is not understood", errors)


async def _on_framefind_error(request: Request, error: Exception) -> Response:
    """Log the error and hide its message, which may hold paths; only QueryErrors are passed on."""
    if isinstance(error, QueryError):
        return problem(422, str(error))
    _log.warning("%s %s: %s", request.method, request.url.path, error)
    if isinstance(error, LibraryError):
        return problem(503, "the library cannot be read now", headers={"Retry-After": "5"})
    if isinstance(error, StoreError):
        detail = "the video's object store does not answer"
        return problem(503, detail, headers={"Retry-After": "5"})
    return problem(500, "the server's log says why")


async def _on_disconnect(request: Request, error: Exception) -> Response:
    """Answer a client that left while it sent its request; nobody reads that."""
    return problem(400, "the request was not sent to its end")
