"""Videos: their rows, their thumbnails, and their exact frames as JPEG."""

import asyncio
import os
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from framefind.errors import VideoError
from framefind.files.names import readable_first
from framefind.search.filters import Filters, VideoNames
from framefind.server import schemas
from framefind.server.batching import Batcher
from framefind.server.limiter import Limiter
from framefind.server.playback.media_file import find_file
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.state import LibraryState
from framefind.types import Video
from framefind.video.thumbnail import encode_jpeg

VideoId = Annotated[str, Path(pattern=schemas.VIDEO_ID_PATTERN)]
Seconds = Annotated[float, Path(ge=0, le=1e9, allow_inf_nan=False, description="Seconds.")]
Width = Annotated[int, Query(ge=16, le=4096)]

FRAME_JPEG_QUALITY = 88
_MAX_ASPECT = 8  # height by width of a frame's JPEG
_JPEG = describe_responses(None, 404, 422, 503, media="image/jpeg")
_CACHE_FOR_AN_HOUR = {"Cache-Control": "private, max-age=3600"}


def router(state: LibraryState, limiter: Limiter) -> APIRouter:
    """Return the routes of videos."""
    router = Router(prefix="/v1/videos", tags=["videos"])
    batcher = Batcher(state.thumbnails)

    @router.get("", responses=describe_responses(schemas.Videos, 422))
    async def videos(query: Annotated[schemas.VideosQuery, Query()]) -> JSONResponse:
        """List the library's videos that pass the filters, by path."""
        return JSONResponse(await asyncio.to_thread(_list_videos, state, query))

    @router.get("/{video_id}/thumbnails/{t}.jpg", responses=_JPEG, response_class=Response)
    async def thumbnail(video_id: VideoId, t: Seconds) -> Response:
        """Return the stored picture of the sampled frame that stands for a time: 320 pixels."""
        state.video(video_id)
        jpeg = await batcher.ask((video_id, t))
        if jpeg is None:
            raise HTTPException(404, "the library has no picture of it")
        return Response(jpeg, media_type="image/jpeg", headers=_CACHE_FOR_AN_HOUR)

    @router.get("/{video_id}/frames/{t}.jpg", responses=_JPEG, response_class=Response)
    async def frame(video_id: VideoId, t: Seconds, width: Width = 1280) -> Response:
        """Return the exact frame that is shown at a time, at most `width` pixels wide."""
        file = await asyncio.to_thread(find_file, state.video(video_id))
        jpeg = await limiter.run(_frame_jpeg, file.path, t, width)
        return Response(jpeg, media_type="image/jpeg", headers=_CACHE_FOR_AN_HOUR)

    return router


def _list_videos(state: LibraryState, query: schemas.VideosQuery) -> dict[str, Any]:
    """Return a page of videos as `schemas.Videos`; looking for their files may wait for a disk."""
    filters = Filters(**query.model_dump(exclude={"video", "limit", "offset"}))
    rows = [row for row in state.snapshot.rows if filters.accept(row)]
    if query.video:
        ids = VideoNames(rows).match_all(query.video)
        rows = [row for row in rows if row.video_id in ids]
    page = rows[query.offset : query.offset + query.limit]
    videos = [describe_video(row) for row in page]
    return {"schema": "framefind/videos/v1", "total": len(rows), "videos": videos}


def describe_video(row: Video) -> dict[str, Any]:
    """Return a video as `schemas.Video`."""
    path = readable_first(row.paths)[0]
    return {
        "video_id": row.video_id,
        "path": path,
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
        "cues": row.cues,
        "modified": row.modified.isoformat() if row.modified else None,
        "indexed_at": row.indexed_at.isoformat() if row.indexed_at else None,
    }


def _frame_jpeg(path: str, t: float, width: int) -> bytes:
    """Return the frame that a video shows at `t`. Raises HTTPException 404 if there is none."""
    from PIL import Image

    from framefind.video.shown import frame

    try:
        pixels = frame(path, t)
    except VideoError:
        raise HTTPException(404, "the video shows nothing at that time") from None
    image = Image.fromarray(pixels)
    image.thumbnail((width, width * _MAX_ASPECT))
    return encode_jpeg(image, FRAME_JPEG_QUALITY)
