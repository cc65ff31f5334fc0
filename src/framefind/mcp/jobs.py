"""Indexing for agents: below the allowed folders only, in a process of its own."""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from mcp.server.mcpserver.exceptions import ToolError
from starlette.exceptions import HTTPException

from framefind.counts import write_count
from framefind.library import Library
from framefind.mcp.answers import Job, shorten
from framefind.output.printable import printable
from framefind.reports import Report
from framefind.times import clock

if TYPE_CHECKING:
    from framefind.server import schemas

_WAIT_SECONDS = 10.0  # for a job to end, before it is left to itself
_LOOK_SECONDS = 0.1
_MAX_FAILED = 3  # that are named in an answer
_MAX_REASON_LENGTH = 160


class Jobs:
    """The jobs of one server, which index below `roots`: folders with links resolved."""

    def __init__(self, library: Library, roots: tuple[str, ...]) -> None:
        from framefind.server.job_queue import JobQueue

        self.roots = roots
        self._queue = JobQueue(library, _do_nothing)  # a search looks for what is new by itself

    async def run(self, path: str) -> Job:
        """Index a path, or follow the job that does so; return how far it is after a while.

        Raises ToolError for a path that may not be indexed, or holds no videos.
        """
        from framefind.server.api.jobs import resolve_path
        from framefind.server.security import Access

        try:
            resolved = await asyncio.to_thread(resolve_path, path, Access(roots=self.roots))
            job = self._queue.add(resolved, self.roots)
        except HTTPException as error:
            outside = f"only what is below {', '.join(self.roots)} can be indexed"
            reason = outside if error.status_code == HTTPStatus.FORBIDDEN else error.detail
            raise ToolError(f"{printable(path)}: {reason}") from None
        for _ in range(round(_WAIT_SECONDS / _LOOK_SECONDS)):
            if job.state not in ("queued", "running"):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return _describe(job)

    def describe(self) -> list[Job]:
        """Return all jobs, newest first."""
        return [_describe(job) for job in self._queue.jobs]

    async def close(self) -> None:
        """Stop all jobs; what they have committed stays."""
        await self._queue.close()


async def _do_nothing() -> None:
    pass


def _describe(job: "schemas.Job") -> Job:
    named = list(job.failed.items())[:_MAX_FAILED]
    failed = {path: shorten(reason, _MAX_REASON_LENGTH) for path, reason in named}
    error = shorten(job.error) if job.error else None
    described = Job(path=job.path, state=job.state, failed=failed, error=error)
    if job.report:
        described.done = Report(**job.report).counts()
    elif job.progress:
        now = job.progress
        remaining = "" if now.left is None else f", about {clock(now.left)} left"
        described.progress = f"{now.done} of {write_count(now.total, 'video')}{remaining}"
    return described
