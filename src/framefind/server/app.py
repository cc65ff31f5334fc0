"""The HTTP API and the page: `create_app` makes the application, `run` serves it."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.types import ASGIApp

from framefind import __version__
from framefind.errors import FramefindError
from framefind.library import Library
from framefind.server import docs_page, freed_memory, openapi, page_files, problems, watcher
from framefind.server.api import cues, export, jobs, playback, search, status, videos
from framefind.server.job_queue import JobQueue
from framefind.server.limiter import Limiter
from framefind.server.metrics import Metrics, RequestMeter
from framefind.server.security import Access, Guard
from framefind.server.state import LibraryState

_MAX_CONNECTIONS = 512
_MAX_HEAD_BYTES = 32 * 1024  # of a request
_KEEP_ALIVE_SECONDS = 15
_SHUTDOWN_SECONDS = 3
_log = logging.getLogger("framefind.server")


def create_app(
    library: Library, access: Access, refresh: float = 2.0, watched: Sequence[str] = ()
) -> FastAPI:
    """Return the application that serves one library; it looks for new rows every `refresh` s.

    What comes into the `watched` folders is indexed meanwhile.
    """
    state = LibraryState(library)
    metrics = Metrics()
    players = Limiter()
    queue = JobQueue(library, lambda: _refresh(state))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await _refresh(state)
        tasks = [asyncio.create_task(_keep_fresh(state, refresh))]
        if watched:
            tasks.append(asyncio.create_task(watcher.watch(library, watched)))
        yield
        for task in tasks:
            task.cancel()
        await queue.close()
        await asyncio.gather(*tasks, return_exceptions=True)

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
    app.include_router(search.router(state, Limiter()))
    app.include_router(videos.router(state, Limiter()))
    app.include_router(cues.router(state))
    app.include_router(export.router(state, players))
    app.include_router(playback.router(state, players))
    app.include_router(jobs.router(queue, access))
    app.include_router(status.router(state, metrics, access))
    app.include_router(docs_page.router(app))
    app.router.routes.extend(page_files.routes())
    app.add_middleware(Guard, access=access)
    app.add_middleware(RequestMeter, metrics=metrics)
    metrics.add_gauge(
        "framefind_streams", "Videos that are made playable.", lambda: players.streams
    )
    metrics.add_gauge("framefind_jobs", "Jobs that wait or run.", lambda: queue.active)
    metrics.add_gauge("framefind_videos", "Videos of the library.", lambda: len(state.rows))
    return app


async def _keep_fresh(state: LibraryState, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _refresh(state)
        await asyncio.to_thread(freed_memory.give_back)


async def _refresh(state: LibraryState) -> None:
    try:
        await asyncio.to_thread(state.refresh)
    except FramefindError as error:
        _log.warning("%s", error)


def run(app: ASGIApp, access: Access) -> None:
    """Serve an application until a signal stops it. Raises FramefindError if it cannot listen."""
    import uvicorn

    from framefind.server.timeouts import ActiveClients, TimeoutLoop

    freed_memory.limit_arenas()
    clients = ActiveClients(app)
    config = uvicorn.Config(
        clients,
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
    )
    # uvicorn raises the signal again once it has stopped: exit as after any other command.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        suppress(KeyboardInterrupt),
        _listen(access) as listening,
        asyncio.Runner(loop_factory=lambda: TimeoutLoop(clients)) as runner,
    ):
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


def _listen(access: Access) -> socket.socket:
    host = access.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, access.port), family=family)
    except OSError as error:
        raise FramefindError(
            f"cannot listen at port {access.port} of {host}: {error.strerror}; choose another"
        ) from None
