"""The HTTP API and the page: `create_app` makes the application, `serve` runs it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from framefind import __version__
from framefind.errors import FramefindError
from framefind.library import Library
from framefind.server import documents, jobs, problems, search, streaming, videos
from framefind.server.metrics import MEDIA_TYPE, Measured, Metrics
from framefind.server.problems import problem
from framefind.server.security import Access, Guard, is_loopback
from framefind.server.shelf import Shelf
from framefind.server.work import Work

_PAGE = Path(__file__).with_name("page")
_log = logging.getLogger("framefind.server")


def create_app(library: Library, access: Access, refresh: float = 2.0) -> FastAPI:
    """The application that serves one library. `refresh`: seconds until new rows are seen."""
    shelf, metrics = Shelf(library), Metrics()
    background = jobs.Jobs(library)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await _refresh(shelf)
        watching = asyncio.create_task(_watch(shelf, refresh))
        yield
        watching.cancel()
        await background.close()

    app = FastAPI(
        title="framefind",
        version=__version__,
        description="Find the moment in your videos by what is in them.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(search.router(shelf))
    work = Work()
    metrics.gauge("framefind_streams", "Videos that are made playable.", lambda: work.streams)
    metrics.gauge("framefind_jobs", "Jobs that wait or run.", lambda: background.active)
    metrics.gauge("framefind_videos", "Videos of the library.", lambda: len(shelf.snapshot.rows))
    app.include_router(videos.router(shelf, work))
    app.include_router(streaming.router(shelf, work))
    app.include_router(jobs.router(background, access))
    _add_status(app, shelf, metrics, access)
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    app.add_middleware(Guard, access=access)
    app.add_middleware(Measured, metrics=metrics)
    return app


async def _watch(shelf: Shelf, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _refresh(shelf)


async def _refresh(shelf: Shelf) -> None:
    try:
        await asyncio.to_thread(shelf.refresh)
    except FramefindError as error:
        _log.warning("%s", error)


def _add_status(app: FastAPI, shelf: Shelf, metrics: Metrics, access: Access) -> None:
    @app.get("/v1/library", tags=["library"], responses={200: {"model": documents.LibraryFacts}})
    async def library() -> JSONResponse:
        """The library in numbers, and its folders."""
        return JSONResponse(await asyncio.to_thread(_status, shelf, access))

    @app.get("/healthz", tags=["operation"], response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the server runs."""
        return "ok"

    @app.get("/readyz", tags=["operation"], response_class=PlainTextResponse)
    async def readyz() -> Response:
        """Whether it can read its library."""
        return PlainTextResponse("ready") if shelf.is_fresh else problem(503)

    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def exposed() -> Response:
        """Prometheus metrics."""
        return Response("\n".join(metrics.lines()) + "\n", media_type=MEDIA_TYPE)


def _status(shelf: Shelf, access: Access) -> dict[str, Any]:
    from collections import Counter

    snapshot = shelf.snapshot
    rows = snapshot.rows
    folders = [{"path": path, "videos": count} for path, count in shelf.folders().items()]
    return {
        "schema": "framefind/status/v1",
        "library": shelf.library.uri,
        "exists": not shelf.is_empty,
        "model": snapshot.model,
        "videos": dict(sorted(Counter(row.status for row in rows).items())),
        "frames": sum(row.frames for row in rows),
        "hours": sum(row.duration or 0 for row in rows if row.segments) / 3600,
        "folders": folders,
        "index_fresh": True,
        "can_add": bool(access.roots) or is_loopback(access.host),
        "roots": list(access.roots),
    }


def serve(library: Library, access: Access, refresh: float = 2.0) -> None:
    """Run the server until it is told to stop."""
    import uvicorn

    with suppress(KeyboardInterrupt):
        uvicorn.run(
            create_app(library, access, refresh),
            host=access.host.strip("[]"),
            port=access.port,
            http="h11",
            ws="none",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=512,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=32 * 1024,
        )
