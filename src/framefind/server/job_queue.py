"""The queue of indexing jobs, which run one at a time, each in a process of its own."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException

from framefind.library import Library
from framefind.reports import Progress
from framefind.server import index_job, schemas

_ENDED = ("done", "cancelled", "failed")
_MAX_WAITING = 100
_MAX_REMEMBERED = 200
_MAX_FAILURES = 1000  # that are listed per job
_STOP_SECONDS = 30.0  # that a cancelled job has to commit what it has done
_EVENT_INTERVAL_SECONDS = 0.2  # at least, between the events of a job
_KEEP_ALIVE_SECONDS = 15.0


@dataclass
class _Run:
    job: schemas.Job
    version: int = 0  # rises with every change of the job
    process: asyncio.subprocess.Process | None = None
    task: "asyncio.Task[None] | None" = None

    def stop(self) -> None:
        """Let the process end by itself, and kill it if it does not in time."""
        assert self.process
        assert self.process.stdin
        self.process.stdin.close()
        asyncio.get_running_loop().call_later(_STOP_SECONDS, self.kill)

    def kill(self) -> None:
        """Kill the process, if it still runs."""
        if self.process and self.process.returncode is None:
            self.process.kill()


class JobQueue:
    """The jobs of one server. All methods run in the event loop."""

    def __init__(self, library: Library, refresh: Callable[[], Awaitable[None]]) -> None:
        """`refresh` makes the server read what is new in the library."""
        self._library = library
        self._refresh = refresh
        self._runs: dict[str, _Run] = {}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def jobs(self) -> list[schemas.Job]:
        """Return all jobs, newest first."""
        return [run.job for run in reversed(self._runs.values())]

    @property
    def active(self) -> int:
        """Return the number of jobs that wait or run."""
        return sum(job.state not in _ENDED for job in self.jobs)

    def get(self, job_id: str) -> schemas.Job:
        """Return the job with that id. Raises HTTPException 404 if there is none."""
        return self._run(job_id).job

    def add(self, path: str, roots: tuple[str, ...]) -> schemas.Job:
        """Index a path once the jobs before are done; return the job that does so already, if any.

        Raises HTTPException 503 if too many jobs wait.
        """
        for run in self._runs.values():
            if run.job.path == path and run.job.state in ("queued", "running"):
                return run.job
        if self.active >= _MAX_WAITING:
            raise HTTPException(503, "too many jobs are waiting", {"Retry-After": "60"})
        for old in [run.job.id for run in self._runs.values() if run.job.state in _ENDED]:
            if len(self._runs) >= _MAX_REMEMBERED:
                del self._runs[old]
        job = schemas.Job(
            id=secrets.token_hex(8), path=path, state="queued", created=datetime.now(UTC)
        )
        run = self._runs[job.id] = _Run(job)
        run.task = asyncio.create_task(self._execute(run, roots))
        self._notify(run)
        return job

    def cancel(self, job_id: str) -> schemas.Job:
        """Stop a job; what it has committed stays. Raises HTTPException 404 if there is none."""
        run = self._run(job_id)
        if run.job.state == "queued":
            run.job.state = "cancelled"
        elif run.job.state == "running":
            run.job.state = "cancelling"
            if run.process:
                run.stop()
        self._notify(run)
        return run.job

    async def events(self, job_id: str | None = None) -> AsyncGenerator[str, None]:
        """Yield a job now and whenever it changes, as server-sent events, until it has ended.

        Without an id: all jobs, until all have ended.
        """
        followed = None if job_id is None else self._run(job_id)
        sent: dict[str, int] = {}
        while True:
            changed = self._changed
            runs = [followed] if followed else list(self._runs.values())
            have_ended = all(run.job.state in _ENDED for run in runs)
            for run in runs:
                if sent.get(run.job.id) != run.version:
                    sent[run.job.id] = run.version
                    yield f"event: job\ndata: {run.job.model_dump_json()}\n\n"
            if have_ended:
                return
            await asyncio.sleep(_EVENT_INTERVAL_SECONDS)
            while not changed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _KEEP_ALIVE_SECONDS)
                    break
                yield ": keep-alive\n\n"

    async def close(self) -> None:
        """Stop all jobs."""
        for job in self.jobs:
            self.cancel(job.id)
        tasks = [run.task for run in self._runs.values() if run.task]
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        for run in self._runs.values():
            run.kill()

    def _notify(self, run: _Run) -> None:
        """Wake the clients that follow the job, or all jobs."""
        run.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _run(self, job_id: str) -> _Run:
        if job_id not in self._runs:
            raise HTTPException(404, "there is no such job")
        return self._runs[job_id]

    async def _execute(self, run: _Run, roots: tuple[str, ...]) -> None:
        async with self._turn:
            if run.job.state != "queued":
                return
            run.job.state = "running"
            self._notify(run)
            try:
                code = await self._index(run, roots)
            except Exception as error:
                run.kill()
                _fail(run.job, f"the indexer cannot be run: {error}")
            else:
                await self._refresh()  # a job is done when its videos can be searched
                self._end(run.job, code)
            self._notify(run)

    async def _index(self, run: _Run, roots: tuple[str, ...]) -> int:
        """Run a job in a process of its own; return its exit code."""
        process = await index_job.start(self._library, path=run.job.path, roots=roots)
        assert process.stdout
        run.process = process
        if run.job.state == "cancelling":  # since before the process was started
            run.stop()
        async for line in process.stdout:
            self._read_message(run.job, json.loads(line))
            self._notify(run)
        return await process.wait()

    @staticmethod
    def _end(job: schemas.Job, code: int) -> None:
        """Set the final state of a job whose process has ended."""
        if job.report is not None:
            job.state = "done"
        elif job.state == "cancelling":
            job.state = "cancelled"
        elif job.state == "running":
            _fail(job, f"the indexer ended with exit code {code}")

    @staticmethod
    def _read_message(job: schemas.Job, message: dict[str, Any]) -> None:
        """Update a job by what its process wrote; see `index_job`."""
        if progress := message.get("progress"):
            job.progress = Progress(**progress)
            if job.progress.trouble and len(job.failed) < _MAX_FAILURES:
                job.failed[job.progress.path] = job.progress.trouble
        elif report := message.get("report"):
            job.report = report
            job.failed |= dict(list(report["failed"].items())[:_MAX_FAILURES])
        elif error := message.get("error"):
            _fail(job, error)
        elif message.get("cancelled"):
            job.state = "cancelled"


def _fail(job: schemas.Job, error: str) -> None:
    job.state = "failed"
    job.error = error
