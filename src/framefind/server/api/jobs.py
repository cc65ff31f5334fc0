"""Jobs: indexing in the background, one at a time, each in a process of its own."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from framefind.errors import NotAVideoError
from framefind.library import Library
from framefind.processes import python_command
from framefind.server import schemas
from framefind.server.limiter import UNPLAYABLE
from framefind.server.problems import answers
from framefind.server.routing import Router
from framefind.server.security import Access
from framefind.server.streaming import GeneratorResponse
from framefind.video.decode import Video

_ENDED = ("done", "cancelled", "failed")
_WAITING = 100  # jobs that may wait
_KEPT = 200  # jobs that are remembered
_TROUBLES = 1000  # failures that are listed per job
_GRACE = 30.0  # seconds that a cancelled job has to commit what it has done
_PING = 15.0


@dataclass
class _Run:
    job: schemas.Job
    version: int = 0  # rises with every change of the job
    process: asyncio.subprocess.Process | None = None
    task: "asyncio.Task[None] | None" = None

    def stop(self) -> None:
        """Have the process end: by itself, or it is ended."""
        assert self.process
        assert self.process.stdin
        self.process.stdin.close()
        asyncio.get_running_loop().call_later(_GRACE, self.kill)

    def kill(self) -> None:
        """End the process now."""
        if self.process and self.process.returncode is None:
            self.process.kill()


class Jobs:
    """The jobs of one server. Everything here runs in the event loop."""

    def __init__(self, library: Library, refresh: Callable[[], Awaitable[None]]) -> None:
        """`refresh` lets the server see what is new in the library."""
        self._library, self._refresh = library, refresh
        self._runs: dict[str, _Run] = {}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def all(self) -> list[schemas.Job]:
        """Every job, newest first."""
        return [run.job for run in reversed(self._runs.values())]

    @property
    def active(self) -> int:
        """How many are not ended."""
        return sum(job.state not in _ENDED for job in self.all)

    def get(self, job_id: str) -> schemas.Job:
        """The job with that id; 404 if there is none."""
        return self._run(job_id).job

    def add(self, path: str, roots: tuple[str, ...]) -> schemas.Job:
        """Index a path as soon as the jobs before are done; one that waits already is that job."""
        for run in self._runs.values():
            if run.job.path == path and run.job.state in ("queued", "running"):
                return run.job
        if self.active >= _WAITING:
            raise HTTPException(503, "too many jobs are waiting", {"Retry-After": "60"})
        for old in [run.job.id for run in self._runs.values() if run.job.state in _ENDED]:
            if len(self._runs) >= _KEPT:
                del self._runs[old]
        job = schemas.Job(
            id=secrets.token_hex(8), path=path, state="queued", created=datetime.now(UTC)
        )
        run = self._runs[job.id] = _Run(job)
        run.task = asyncio.create_task(self._work(run, roots))
        self._tell(run)
        return job

    def cancel(self, job_id: str) -> schemas.Job:
        """Stop a job; what it has committed stays."""
        run = self._run(job_id)
        if run.job.state == "queued":
            run.job.state = "cancelled"
        elif run.job.state == "running":
            run.job.state = "cancelling"
            if run.process:
                run.stop()
        self._tell(run)
        return run.job

    async def events(self, job_id: str | None = None) -> AsyncGenerator[str, None]:
        """Yield a job whenever it changes, as server-sent events, until it has ended.

        Without an id: every job as it is, and each again whenever it changes, until all have ended.
        """
        only = None if job_id is None else self._run(job_id)
        sent: dict[str, int] = {}
        while True:
            changed = self._changed
            followed = [only] if only else list(self._runs.values())
            over = all(run.job.state in _ENDED for run in followed)
            for run in followed:
                if sent.get(run.job.id) != run.version:
                    sent[run.job.id] = run.version
                    yield f"event: job\ndata: {run.job.model_dump_json()}\n\n"
            if over:
                return
            await asyncio.sleep(0.2)
            while not changed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _PING)
                    break
                yield ": still here\n\n"

    async def close(self) -> None:
        """Stop all jobs."""
        for job in self.all:
            self.cancel(job.id)
        tasks = [run.task for run in self._runs.values() if run.task]
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        for run in self._runs.values():
            run.kill()

    def _tell(self, run: _Run) -> None:
        """Wake whoever follows the job, or all jobs."""
        run.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _run(self, job_id: str) -> _Run:
        if job_id not in self._runs:
            raise HTTPException(404, "there is no such job")
        return self._runs[job_id]

    async def _work(self, run: _Run, roots: tuple[str, ...]) -> None:
        async with self._turn:
            if run.job.state != "queued":
                return
            run.job.state = "running"
            self._tell(run)
            try:
                code = await self._index(run, roots)
            except Exception as error:
                run.kill()
                run.job.state, run.job.error = "failed", f"the indexer cannot be run: {error}"
            else:
                await self._refresh()  # a job is done when what it found can be searched
                self._ended(run.job, code)
            self._tell(run)

    async def _index(self, run: _Run, roots: tuple[str, ...]) -> int:
        """Run a job in a process of its own; its exit code."""
        process = run.process = await asyncio.create_subprocess_exec(
            *python_command("framefind.server.index_job"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**28,  # bytes of a line
        )
        assert process.stdin
        assert process.stdout
        order: dict[str, Any] = {"library": self._library.uri, "device": self._library.device}
        order |= {"path": run.job.path, "roots": roots}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        if run.job.state == "cancelling":  # before there was a process
            run.stop()
        async for line in process.stdout:
            self._heard(run.job, json.loads(line))
            self._tell(run)
        return await process.wait()

    @staticmethod
    def _ended(job: schemas.Job, code: int) -> None:
        if job.report is not None:
            job.state = "done"
        elif job.state == "cancelling":
            job.state = "cancelled"
        elif job.state == "running":
            job.state, job.error = "failed", f"the indexer ended with exit code {code}"

    @staticmethod
    def _heard(job: schemas.Job, said: dict[str, Any]) -> None:
        if progress := said.get("progress"):
            trouble = progress.pop("trouble")
            if trouble and len(job.failed) < _TROUBLES:
                job.failed[progress["path"]] = trouble
            job.progress = schemas.JobProgress(**progress)
        elif report := said.get("report"):
            job.report = report
            job.failed |= dict(list(report["failed"].items())[:_TROUBLES])
        elif error := said.get("error"):
            job.error, job.state = error, "failed"
        elif said.get("cancelled"):
            job.state = "cancelled"


_ROUTE = "/v1/jobs"
_STREAM = "text/event-stream"
_LOCATION = {"description": "The job's address.", "schema": {"type": "string"}}
_ADDED = answers(None, 403, 422, 503) | {202: {"headers": {"Location": _LOCATION}}}
_EVENTS = answers(None, 404, media=_STREAM)
_ALL_EVENTS = answers(None, media=_STREAM)


def router(jobs: Jobs, access: Access) -> APIRouter:
    """The routes of jobs."""
    routes = Router(prefix=_ROUTE, tags=["jobs"])

    @routes.post("", status_code=202, responses=_ADDED)
    async def add(new: schemas.NewJob, answer: Response) -> schemas.Job:
        """Index a folder or a video of the server's computer, in the background."""
        job = jobs.add(await asyncio.to_thread(_allowed, new.path, access), access.roots)
        answer.headers["Location"] = f"{_ROUTE}/{job.id}"
        return job

    @routes.get("")
    async def every() -> schemas.Jobs:
        """All jobs since the server was started, newest first."""
        return schemas.Jobs(jobs=jobs.all)

    @routes.get("/events", responses=_ALL_EVENTS, response_class=Response)
    async def all_events() -> Response:
        """Every job whenever it changes, as server-sent events (`job`), until all have ended.

        One connection tells of all jobs: browsers have six to a server.
        """
        return GeneratorResponse(jobs.events(), media_type=_STREAM)

    @routes.get("/{job_id}", responses=answers(None, 404))
    async def one(job_id: str) -> schemas.Job:
        """How far a job is."""
        return jobs.get(job_id)

    @routes.get("/{job_id}/events", responses=_EVENTS, response_class=Response)
    async def events(job_id: str) -> Response:
        """The job whenever it changes, as server-sent events (`job`), until it has ended."""
        jobs.get(job_id)
        return GeneratorResponse(jobs.events(job_id), media_type=_STREAM)

    @routes.delete("/{job_id}", responses=answers(None, 404))
    async def cancel(job_id: str) -> schemas.Job:
        """Stop a job; what it has committed stays."""
        return jobs.cancel(job_id)

    return routes


def _allowed(path: str, access: Access) -> str:
    """The path, absolute and with links resolved, if it may be indexed and may hold videos."""
    if path.startswith(("\\\\", "//")):
        raise HTTPException(422, "only what is on this computer can be indexed")
    try:
        expanded = os.path.expanduser(path)
        resolved = os.path.realpath(expanded)
        os.fsencode(resolved)
    except ValueError:
        raise HTTPException(422, "that is no path") from None
    if not access.may_index(resolved):
        raise HTTPException(403, "nothing outside the folders of --allow-root can be indexed")
    if not os.path.isabs(expanded):
        raise HTTPException(422, "give the whole path, from the root on")
    if not os.path.exists(resolved):
        raise HTTPException(422, "there is no such file or folder")
    if not os.path.isdir(resolved) and not _is_video(resolved):
        raise HTTPException(422, "that file is no video; name a video, or a folder of videos")
    return resolved


def _is_video(path: str) -> bool:
    """Return whether a file holds video; a damaged one counts: its job says what is wrong."""
    try:
        Video(path, threads=1).close()
    except NotAVideoError:
        return False
    except UNPLAYABLE:
        return True
    return True
