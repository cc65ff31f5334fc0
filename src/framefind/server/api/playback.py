"""Send videos: the file itself if a browser can play it, else a stream made from it, and clips."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from framefind.errors import StoreError
from framefind.output.options import MAX_CUT_SECONDS
from framefind.server import schemas
from framefind.server.api.videos import VideoId, describe_video
from framefind.server.limiter import UNPLAYABLE, Limiter
from framefind.server.playback.media_file import MediaFile, find_file
from framefind.server.playback.probe import Playable, keyframe_before, probe
from framefind.server.playback.ranges import read_file, send_file
from framefind.server.playback.remux import remux_stream
from framefind.server.playback.transcode import transcode_stream, write_clip
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.state import LibraryState
from framefind.server.streaming import GeneratorResponse, attachment, headers_only
from framefind.types import Video

_STREAM = describe_responses(None, 404, 415, 416, 422, 503, media="video/mp4")
_STREAM[206] = {"description": "A part of the file"}
_STREAM[304] = {"description": "The file has not changed"}
_CLIP = describe_responses(None, 404, 415, 422, 503, media="video/mp4")
Seconds = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False, description="Seconds.")]
Transcode = Annotated[bool, Query(description="Encode it again, even if that seems needless.")]


def router(state: LibraryState, limiter: Limiter) -> APIRouter:
    """Return the routes that send video."""
    router = Router(prefix="/v1/videos/{video_id}", tags=["videos"])

    @router.get("", responses=describe_responses(schemas.PlayableVideo, 404, 422))
    async def video(
        video_id: VideoId, start: Seconds = 0.0, transcode: Transcode = False
    ) -> JSONResponse:
        """Return one video, and how a browser can play it from `start` on."""
        row = state.video(video_id)
        stream = await asyncio.to_thread(_describe_stream, row, start, transcode)
        return JSONResponse({**describe_video(row), "stream": stream})

    @router.get("/stream", responses=_STREAM, response_class=Response)
    async def stream(
        request: Request, video_id: VideoId, start: Seconds = 0.0, transcode: Transcode = False
    ) -> Response:
        """Send the video to a player: the file, in ranges, or an MP4 that begins at `start`."""
        row = state.video(video_id)
        file = await asyncio.to_thread(find_file, row)
        playable = await asyncio.to_thread(_choose_playback, file, row.duration, transcode)
        if playable.kind == "file":
            etag = f'"{video_id}-{file.size:x}-{file.modified:x}"'
            return send_file(file, etag, request.headers, playable.type)
        start = await asyncio.to_thread(_stream_start, file, playable, start)
        headers = {"X-Start": repr(start), "Accept-Ranges": "none"}
        if request.method == "HEAD":
            return headers_only(headers, playable.type)
        if playable.kind == "remux":
            chunks = remux_stream(file.path, file.size, start, playable.copies_audio)
        else:
            chunks = transcode_stream(file.path, file.size, start, row.duration)
        body = limiter.stream(chunks)
        first = await anext(body, None)
        if first is None:
            raise HTTPException(415, "the video cannot be decoded there")
        return GeneratorResponse(
            _prepend(first, body), headers=headers, media_type=playable.type, cleanup=body.aclose
        )

    @router.get("/clip", responses=_CLIP, response_class=Response)
    async def clip(request: Request, video_id: VideoId, start: Seconds, end: Seconds) -> Response:
        """Send a part of the video, ten minutes at most, as an MP4 encoded to begin exactly."""
        if not 0 < end - start <= MAX_CUT_SECONDS:
            raise HTTPException(
                422, f"end must come after start, {MAX_CUT_SECONDS:.0f} s later at most"
            )
        row = state.video(video_id)
        file = await asyncio.to_thread(find_file, row)
        name = f"{Path(file.path).stem} {start:.1f}-{end:.1f}.mp4"
        headers = {"Content-Disposition": attachment(name)}
        if request.method == "HEAD":
            return headers_only(headers, "video/mp4")
        handle, target = tempfile.mkstemp(suffix=".mp4", prefix="framefind-")
        os.close(handle)
        steps = write_clip(file.path, file.size, start, end, target, row.duration)
        return await _send_written(target, limiter.exhaust(steps, request), headers)

    return router


async def _send_written(
    target: str, writing: Awaitable[None], headers: dict[str, str]
) -> GeneratorResponse:
    """Return the response that sends the MP4 file `target` once it is written, and deletes it.

    Raises HTTPException 415 if the video cannot be decoded.
    """
    try:
        await writing
    except BaseException as error:
        os.unlink(target)
        if isinstance(error, UNPLAYABLE):
            raise HTTPException(415, "the video cannot be decoded there") from None
        raise
    size = os.path.getsize(target)
    return GeneratorResponse(
        read_file(target, range(size)),
        headers=headers | {"Content-Length": str(size)},
        media_type="video/mp4",
        cleanup=partial(asyncio.to_thread, os.unlink, target),
    )


def _choose_playback(file: MediaFile, duration: float | None, transcode: bool) -> Playable:
    """Return how to play a file of that duration in seconds, if known.

    Raises HTTPException 415 if it cannot be played.
    """
    try:
        playable = probe(file.path, file.size, file.modified, duration)
    except UNPLAYABLE:
        raise HTTPException(415, "the file is not a video that can be played") from None
    return Playable("transcode", why="it was asked for") if transcode else playable


def _stream_start(file: MediaFile, playable: Playable, start: float) -> float:
    """Return where a stream begins that was asked for from `start` on; both in seconds."""
    if playable.kind == "file":
        return 0.0
    if playable.kind == "transcode":
        return start
    try:
        return keyframe_before(file.path, file.size, start)
    except UNPLAYABLE:
        return 0.0


def _describe_stream(row: Video, start: float, transcode: bool) -> dict[str, Any] | None:
    """Return a video's `schemas.Stream`; None if it cannot be played."""
    try:
        file = find_file(row)
        playable = _choose_playback(file, row.duration, transcode)
        start = _stream_start(file, playable, start)
    except (HTTPException, StoreError):
        return None
    url = f"/v1/videos/{row.video_id}/stream"
    if playable.kind != "file":
        url += f"?start={start!r}" + ("&transcode=true" if transcode else "")
    return {
        "url": url,
        "kind": playable.kind,
        "type": playable.type,
        "why": playable.why,
        "start": start,
    }


async def _prepend(first: bytes, following: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in following:
        yield chunk
