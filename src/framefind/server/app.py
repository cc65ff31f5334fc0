"""The HTTP API and the page: `create_app` makes the application, `serve` runs it."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from framefind import __version__
from framefind.errors import FramefindError
from framefind.library import Library
from framefind.server import docs_page, openapi, page_files, problems
from framefind.server.api import jobs, playback, search, status, videos
from framefind.server.limiter import Limiter
from framefind.server.memory import limit_malloc
from framefind.server.metrics import Metrics, RequestMeter
from framefind.server.security import Access, Guard
from framefind.server.state import LibraryState

_CONNECTIONS = 512
_log = logging.getLogger("framefind.server")


def create_app(library: Library, access: Access, refresh: float = 2.0) -> FastAPI:
    """The application that serves one library. `refresh`: seconds until new rows are seen."""
    shelf, metrics, playing = LibraryState(library), Metrics(), Limiter()
    background = jobs.Jobs(library, lambda: _refresh(shelf))

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
        redirect_slashes=False,
    )
    problems.install(app)
    openapi.install(app, access)
    app.include_router(search.router(shelf, Limiter()))
    app.include_router(videos.router(shelf, Limiter()))
    app.include_router(playback.router(shelf, playing))
    app.include_router(jobs.router(background, access))
    app.include_router(status.router(shelf, metrics, access))
    app.include_router(docs_page.router(app))
    app.router.routes.extend(page_files.routes())
    app.add_middleware(Guard, access=access)
    app.add_middleware(RequestMeter, metrics=metrics)
    metrics.add_gauge(
        "framefind_streams", "Videos that are made playable.", lambda: playing.streams
    )
    metrics.add_gauge("framefind_jobs", "Jobs that wait or run.", lambda: background.active)
    metrics.add_gauge("framefind_videos", "Videos of the library.", lambda: len(shelf.rows))
    return app


async def _watch(shelf: LibraryState, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _refresh(shelf)


async def _refresh(shelf: LibraryState) -> None:
    try:
        await asyncio.to_thread(shelf.refresh)
    except FramefindError as error:
        _log.warning("%s", error)


def serve(library: Library, access: Access, refresh: float = 2.0) -> None:
    """Run the server until it is told to stop. Raises FramefindError if it cannot listen."""
    import uvicorn

    from framefind.server.timeouts import ActiveClients, TimeoutLoop

    limit_malloc()
    app = ActiveClients(create_app(library, access, refresh))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=32 * 1024,
    )
    # uvicorn passes a signal on when it has stopped: let what called us end in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        suppress(KeyboardInterrupt),
        _listening(access) as listening,
        asyncio.Runner(loop_factory=lambda: TimeoutLoop(app)) as runner,
    ):
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


def _listening(access: Access) -> socket.socket:
    host = access.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, access.port), family=family)
    except OSError as error:
        raise FramefindError(
            f"cannot listen at port {access.port} of {host}: {error.strerror}; choose another"
        ) from None
