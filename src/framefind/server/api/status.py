"""The library in numbers, health, readiness and metrics."""

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from framefind.forgetting import find_absent
from framefind.server import schemas
from framefind.server.metrics import MEDIA_TYPE, Metrics
from framefind.server.problems import answers, problem
from framefind.server.routing import Router
from framefind.server.security import Access
from framefind.server.state import LibraryState


def router(shelf: LibraryState, metrics: Metrics, access: Access) -> APIRouter:
    """The routes that tell how it is."""
    routes = Router()

    @routes.get("/v1/library", tags=["library"], responses=answers(schemas.LibraryFacts, 503))
    async def library() -> JSONResponse:
        """The library in numbers, and its folders."""
        return JSONResponse(await asyncio.to_thread(_facts, shelf, access))

    @routes.get("/healthz", tags=["operation"], response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the server runs."""
        return "ok"

    @routes.get(
        "/readyz",
        tags=["operation"],
        responses=answers(None, 503),
        response_class=PlainTextResponse,
    )
    async def readyz() -> Response:
        """Whether it can read its library."""
        return PlainTextResponse("ready") if shelf.is_fresh else problem(503)

    @routes.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def exposed() -> Response:
        """Prometheus metrics."""
        return Response(metrics.exposition(), media_type=MEDIA_TYPE)

    return routes


def _facts(shelf: LibraryState, access: Access) -> dict[str, Any]:
    snapshot = shelf.snapshot
    rows = snapshot.rows
    absent = find_absent(shelf.library.vector_index.folder, rows)
    return {
        "schema": "framefind/status/v1",
        "library": shelf.library.uri,
        "exists": snapshot.index is not None,
        "model": snapshot.model.name if snapshot.model else None,
        "videos": dict(sorted(Counter(row.status for row in rows).items())),
        "frames": sum(row.frames for row in rows),
        "hours": sum(row.duration or 0 for row in rows if row.segments) / 3600,
        "folders": [{"path": at, "videos": count} for at, count in shelf.folders().items()],
        "index_fresh": shelf.is_fresh,
        "offline": [asdict(root) for root in absent.roots(rows)],
        "lost": len(snapshot.index.lost) if snapshot.index else 0,
        "can_add": access.may_index(access.roots[0] if access.roots else "/"),
        "roots": list(access.roots),
    }
