"""Jobs: index a folder or a video in the background, follow it, stop it."""

import asyncio
import os

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from framefind.errors import NotAVideoError
from framefind.server import schemas
from framefind.server.job_queue import JobQueue
from framefind.server.limiter import UNPLAYABLE
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.security import Access
from framefind.server.streaming import GeneratorResponse
from framefind.video.decode import Video

_PREFIX = "/v1/jobs"
_EVENT_STREAM = "text/event-stream"
_LOCATION = {"description": "The job's address.", "schema": {"type": "string"}}
_ADDED = describe_responses(None, 403, 422, 503) | {202: {"headers": {"Location": _LOCATION}}}
_EVENTS = describe_responses(None, 404, media=_EVENT_STREAM)
_ALL_EVENTS = describe_responses(None, media=_EVENT_STREAM)


# Not FastAPI's EventSourceResponse: its endpoints are generators, which cannot answer HEAD, and the
# two lines of the format are all that it would save.
def router(queue: JobQueue, access: Access) -> APIRouter:
    """Return the routes of jobs."""
    router = Router(prefix=_PREFIX, tags=["jobs"])

    @router.post("", status_code=202, responses=_ADDED)
    async def add(new: schemas.NewJob, response: Response) -> schemas.Job:
        """Index a folder or a video of the server's computer, in the background."""
        path = await asyncio.to_thread(resolve_path, new.path, access)
        job = queue.add(path, access.roots)
        response.headers["Location"] = f"{_PREFIX}/{job.id}"
        return job

    @router.get("")
    async def jobs() -> schemas.Jobs:
        """List all jobs since the server was started, newest first."""
        return schemas.Jobs(jobs=queue.jobs)

    @router.get("/events", responses=_ALL_EVENTS, response_class=Response)
    async def all_events() -> Response:
        """Send every job whenever it changes, as server-sent events (`job`), until all have ended.

        One connection is enough for all jobs, since browsers open only six to a server.
        """
        return GeneratorResponse(queue.events(), media_type=_EVENT_STREAM)

    @router.get("/{job_id}", responses=describe_responses(None, 404))
    async def job(job_id: str) -> schemas.Job:
        """Return the state and progress of a job."""
        return queue.get(job_id)

    @router.get("/{job_id}/events", responses=_EVENTS, response_class=Response)
    async def events(job_id: str) -> Response:
        """Send the job whenever it changes, as server-sent events (`job`), until it has ended."""
        queue.get(job_id)
        return GeneratorResponse(queue.events(job_id), media_type=_EVENT_STREAM)

    @router.delete("/{job_id}", responses=describe_responses(None, 404))
    async def cancel(job_id: str) -> schemas.Job:
        """Stop a job; what it has committed stays."""
        return queue.cancel(job_id)

    return router


def resolve_path(path: str, access: Access) -> str:
    """Return the path, absolute and with links resolved.

    Raises HTTPException: 403 if it may not be indexed, 422 if it can hold no videos.
    """
    if path.startswith(("\\\\", "//")):
        raise HTTPException(422, "only what is on this computer can be indexed")
    try:
        expanded = os.path.expanduser(path)
        resolved = os.path.realpath(expanded)
        os.fsencode(resolved)
    except ValueError:
        raise HTTPException(422, "that is not a path") from None
    if not access.may_index(resolved):
        raise HTTPException(403, "nothing outside the folders of --allow-root can be indexed")
    if not os.path.isabs(expanded):
        raise HTTPException(422, "give an absolute path")
    if not os.path.exists(resolved):
        raise HTTPException(422, "there is no such file or folder")
    if not os.path.isdir(resolved) and not _is_video(resolved):
        raise HTTPException(422, "that file is not a video; name a video, or a folder of videos")
    return resolved


def _is_video(path: str) -> bool:
    """Return whether a file holds video; a damaged one counts, since its job reports the error."""
    try:
        Video(path, threads=1).close()
    except NotAVideoError:
        return False
    except UNPLAYABLE:
        return True
    return True
