"""The library in numbers, health, readiness and metrics."""

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from framefind.forgetting import find_absent
from framefind.server import schemas
from framefind.server.metrics import MEDIA_TYPE, Metrics
from framefind.server.problems import describe_responses, problem
from framefind.server.routing import Router
from framefind.server.security import Access
from framefind.server.state import LibraryState
from framefind.status import count_videos


def router(state: LibraryState, metrics: Metrics, access: Access) -> APIRouter:
    """Return the routes that tell how the server and its library are."""
    router = Router()

    @router.get(
        "/v1/library", tags=["library"], responses=describe_responses(schemas.LibraryFacts, 503)
    )
    async def library() -> JSONResponse:
        """Return the library in numbers, and its folders."""
        return JSONResponse(await asyncio.to_thread(_describe_library, state, access))

    @router.get("/healthz", tags=["operation"], response_class=PlainTextResponse)
    async def healthz() -> str:
        """Return whether the server runs."""
        return "ok"

    @router.get(
        "/readyz",
        tags=["operation"],
        responses=describe_responses(None, 503),
        response_class=PlainTextResponse,
    )
    async def readyz() -> Response:
        """Return whether the server can read its library."""
        return PlainTextResponse("ready") if state.is_fresh else problem(503)

    @router.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def exposition() -> Response:
        """Return the metrics for Prometheus."""
        return Response(metrics.exposition(), media_type=MEDIA_TYPE)

    return router


def _describe_library(state: LibraryState, access: Access) -> dict[str, Any]:
    """Return the library as `schemas.LibraryFacts`."""
    snapshot = state.snapshot
    rows = snapshot.rows
    folders = state.count_by_folder().items()
    offline = find_absent(state.library.vector_index.folder, rows).roots(rows)
    return {
        "schema": "framefind/status/v1",
        "library": state.library.uri,
        "exists": snapshot.index is not None,
        "model": snapshot.model.name if snapshot.model else None,
        **count_videos(rows),
        "folders": [{"path": path, "videos": count} for path, count in folders],
        "index_fresh": state.is_fresh,
        "offline": [asdict(folder) for folder in offline],
        "lost": len(snapshot.index.lost) if snapshot.index else 0,
        "lost_words": len(snapshot.index.lost_words) if snapshot.index else 0,
        "lost_pictures": len(state.library.vector_index.lost_pictures(rows)),
        "can_add": access.may_index(access.roots[0] if access.roots else "/"),
        "roots": list(access.roots),
    }
