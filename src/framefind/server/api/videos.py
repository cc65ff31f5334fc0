"""Videos: what the library knows of them, their pictures, and their bytes for a player."""

import asyncio
import io
import os
import stat
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from framefind.errors import StoreError, VideoError
from framefind.files import objects
from framefind.files.names import openable, opened
from framefind.search.filters import Filters, VideoNames
from framefind.server import schemas
from framefind.server.batching import Batcher
from framefind.server.limiter import Limiter
from framefind.server.playback.ranges import Found
from framefind.server.problems import answers
from framefind.server.routing import Router
from framefind.server.state import LibraryState
from framefind.types import Video

VideoId = Annotated[str, Path(pattern=schemas.VIDEO_ID)]
At = Annotated[float, Path(ge=0, le=1e9, allow_inf_nan=False, description="Seconds.")]


def router(shelf: LibraryState, work: Limiter) -> APIRouter:
    """The routes of videos."""
    routes = Router(prefix="/v1/videos", tags=["videos"])
    together = Batcher(shelf.thumbnails)

    @routes.get("", responses=answers(schemas.Videos, 422))
    async def videos(asked: Annotated[schemas.VideosQuery, Query()]) -> JSONResponse:
        """The library's videos, by path; those only that pass the filters."""
        filters = Filters(**asked.model_dump(exclude={"video", "limit", "offset"}))
        page = slice(asked.offset, asked.offset + asked.limit)

        def list_them() -> dict[str, Any]:
            rows = [row for row in shelf.snapshot.rows if filters.accept(row)]
            if asked.video:
                named = VideoNames(rows).matching(asked.video)
                rows = [row for row in rows if row.video_id in named]
            listed = [facts(row) for row in rows[page]]  # may wait for a disk
            return {"schema": "framefind/videos/v1", "total": len(rows), "videos": listed}

        return JSONResponse(await asyncio.to_thread(list_them))

    @routes.get("/{video_id}/thumbnails/{t}.jpg", responses=_JPEG, response_class=Response)
    async def thumbnail(video_id: VideoId, t: At) -> Response:
        """The stored picture of the sampled frame that stands for a time: 320 pixels at most."""
        shelf.video(video_id)
        jpeg = await together.ask((video_id, t))
        if jpeg is None:
            raise HTTPException(404, "the library has no picture of it")
        return Response(jpeg, media_type="image/jpeg", headers=_KEEP)

    @routes.get("/{video_id}/frames/{t}.jpg", responses=_JPEG, response_class=Response)
    async def frame(
        video_id: VideoId, t: At, width: Annotated[int, Query(ge=16, le=4096)] = 1280
    ) -> Response:
        """The picture that the video shows at a time, at most `width` pixels wide."""
        file = await asyncio.to_thread(file_of, shelf.video(video_id))
        jpeg = await work.do(_frame, file.path, t, width)
        return Response(jpeg, media_type="image/jpeg", headers=_KEEP)

    return routes


_JPEG = answers(None, 404, 422, 503, media="image/jpeg")
_KEEP = {"Cache-Control": "private, max-age=3600"}


def facts(row: Video) -> dict[str, Any]:
    """A video as `documents.Video` has it."""
    return {
        "video_id": row.video_id,
        "path": (path := openable(row.paths)[0]),
        "name": os.path.basename(path),
        "size": row.size,
        "duration": row.duration,
        "width": row.width,
        "height": row.height,
        "fps": schemas.finite(row.fps),
        "codec": row.codec,
        "status": row.status,
        "error": row.error,
        "frames": row.frames,
        "modified": row.modified.isoformat() if row.modified else None,
        "indexed_at": row.indexed_at.isoformat() if row.indexed_at else None,
    }


def file_of(row: Video) -> Found:
    """A video's file: under its path or that of a copy; 404 if there is none, or a link instead.

    May ask an object store; 503 if that does not answer.
    """
    for path in openable(row.paths):
        found = _object(path) if objects.is_remote(path) else _file(opened(path))
        if found:
            return found
    raise HTTPException(404, "the video's file is not there")


def _file(path: str) -> Found | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    own = stat.S_ISREG(found.st_mode) and os.path.realpath(path) == os.path.abspath(path)
    return Found(path, found.st_size, found.st_mtime_ns) if own else None


def _object(uri: str) -> Found | None:
    try:
        found = objects.facts([uri])[uri]
    except StoreError:
        raise HTTPException(503, "the video's object store does not answer") from None
    return Found(uri, found.size, found.modified * 1000) if found else None


def _frame(path: str, t: float, width: int) -> bytes:
    from PIL import Image

    from framefind.video.decode import frame

    try:
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = frame(path, t)
    except StoreError:
        raise HTTPException(503, "the video's object store does not answer") from None
    except VideoError:
        raise HTTPException(404, "the video shows nothing at that time") from None
    picture = Image.fromarray(pixels)
    picture.thumbnail((width, width * 8))
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=88)
    return made.getvalue()
