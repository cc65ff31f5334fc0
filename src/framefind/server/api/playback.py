"""Sending videos: the file itself where a browser can play it, else what is made of it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from framefind.server import schemas
from framefind.server.api.videos import VideoId, facts, file_of
from framefind.server.limiter import UNPLAYABLE, Limiter
from framefind.server.playback import remux
from framefind.server.playback.probe import Playable, keyframe_before, probe
from framefind.server.playback.ranges import Found, read, send_file
from framefind.server.problems import answers
from framefind.server.routing import Router, headers_only
from framefind.server.state import LibraryState
from framefind.server.streaming import GeneratorResponse
from framefind.types import Video

MAX_CLIP = 600.0
"""Seconds of a clip."""

_STREAM = answers(None, 404, 415, 416, 422, 503, media="video/mp4")
_STREAM[206] = {"description": "A part of the file"}
_STREAM[304] = {"description": "The file is what it was"}
_CLIP = answers(None, 404, 415, 422, 503, media="video/mp4")
Start = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False, description="Seconds.")]
End = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False, description="Seconds.")]
Transcode = Annotated[bool, Query(description="Encode it again, even if that seems needless.")]


def router(shelf: LibraryState, work: Limiter) -> APIRouter:
    """The routes that send video."""
    routes = Router(prefix="/v1/videos/{video_id}", tags=["videos"])

    @routes.get("", responses=answers(schemas.PlayableVideo, 404, 422))
    async def video(
        video_id: VideoId, start: Start = 0.0, transcode: Transcode = False
    ) -> JSONResponse:
        """One video, and how a browser can play it from `start` on."""
        row = shelf.video(video_id)
        stream = await asyncio.to_thread(_plan, row, start, transcode)
        return JSONResponse({**facts(row), "stream": stream})

    @routes.get("/stream", responses=_STREAM, response_class=Response)
    async def stream(
        request: Request, video_id: VideoId, start: Start = 0.0, transcode: Transcode = False
    ) -> Response:
        """The video for a player: the file, in ranges, or an MP4 that begins at `start`."""
        row = shelf.video(video_id)
        file = await asyncio.to_thread(file_of, row)
        way = await asyncio.to_thread(_way, file, row.duration, transcode)
        if way.kind == "file":
            etag = f'"{video_id}-{file.size:x}-{file.modified:x}"'
            return send_file(file, etag, request.headers, way.type)
        start = await asyncio.to_thread(_begin, file, way, start)
        headers = {"X-Start": repr(start), "Accept-Ranges": "none"}
        if request.method == "HEAD":
            return headers_only(headers, way.type)
        return await _made(work, file, way, start, row.duration, headers)

    @routes.get("/clip", responses=_CLIP, response_class=Response)
    async def download(request: Request, video_id: VideoId, start: Start, end: End) -> Response:
        """An MP4 of a part of the video, ten minutes at most, encoded again to begin exactly."""
        if not 0 < end - start <= MAX_CLIP:
            raise HTTPException(422, f"end must come after start, {MAX_CLIP:.0f} s later at most")
        row = shelf.video(video_id)
        file = await asyncio.to_thread(file_of, row)
        name = quote(f"{Path(file.path).stem} {start:.1f}-{end:.1f}.mp4")
        headers = {"Content-Disposition": f"attachment; filename*=utf-8''{name}"}
        if request.method == "HEAD":
            return headers_only(headers, "video/mp4")
        handle, target = tempfile.mkstemp(suffix=".mp4", prefix="framefind-")
        os.close(handle)
        try:
            made = remux.clip(file.path, file.size, start, end, target, row.duration)
            await work.written(made, request)
        except BaseException as error:
            os.unlink(target)
            if isinstance(error, UNPLAYABLE):
                raise HTTPException(415, "the video cannot be decoded there") from None
            raise
        headers["Content-Length"] = str(os.path.getsize(target))
        content = read(target, range(os.path.getsize(target)))
        unlink = partial(asyncio.to_thread, os.unlink, target)
        return GeneratorResponse(content, headers=headers, media_type="video/mp4", after=unlink)

    return routes


def _way(file: Found, length: float | None, transcode: bool) -> Playable:
    """How to play a file that lasts so many seconds, if that is known; 415 if there is no way."""
    try:
        way = probe(file.path, file.size, file.modified, length)
    except UNPLAYABLE:
        raise HTTPException(415, "the file is no video that can be played") from None
    return Playable("transcode", why="it was asked for") if transcode else way


def _begin(file: Found, way: Playable, start: float) -> float:
    """When a stream that was asked for from `start` on begins."""
    if way.kind != "remux":
        return 0.0 if way.kind == "file" else start
    try:
        return keyframe_before(file.path, file.size, start)
    except UNPLAYABLE:
        return 0.0


def _plan(row: Video, start: float, transcode: bool) -> dict[str, Any] | None:
    """A video's `documents.Stream`; None if it cannot be played."""
    try:
        file = file_of(row)
        way = _way(file, row.duration, transcode)
    except HTTPException:
        return None
    begin = _begin(file, way, start)
    url = f"/v1/videos/{row.video_id}/stream"
    if way.kind != "file":
        url += f"?start={begin!r}" + ("&transcode=true" if transcode else "")
    return {"url": url, "kind": way.kind, "type": way.type, "why": way.why, "start": begin}


async def _made(
    work: Limiter,
    file: Found,
    way: Playable,
    start: float,
    length: float | None,
    headers: dict[str, str],
) -> Response:
    """The answer that is made while it is sent; 415 if nothing can be made."""
    if way.kind == "remux":
        chunks = remux.remux(file.path, file.size, start, way.copies_audio)
    else:
        chunks = remux.transcode(file.path, file.size, start, length)
    body = work.drawn(chunks)
    first = await anext(body, None)
    if first is None:
        raise HTTPException(415, "the video cannot be decoded there")
    joined = _joined(first, body)
    return GeneratorResponse(joined, headers=headers, media_type=way.type, after=body.aclose)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk
