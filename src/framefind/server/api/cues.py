"""Cues: what is said and written in a video, as JSON and as subtitles for players."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from framefind.output.subtitles import write_vtt
from framefind.server import schemas
from framefind.server.api.videos import VideoId
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.state import LibraryState
from framefind.types import Cue

CuesQuery = Annotated[schemas.CuesQuery, Query()]
_REVALIDATE = {"Cache-Control": "private, no-cache"}


def router(state: LibraryState) -> APIRouter:
    """Return the routes of cues."""
    router = Router(prefix="/v1/videos", tags=["videos"])

    @router.get("/{video_id}/cues", responses=describe_responses(schemas.Cues, 404, 422, 503))
    async def cues(video_id: VideoId, query: CuesQuery) -> JSONResponse:
        """Return what is said and written in a video, in order of time."""
        selected = _select(await asyncio.to_thread(state.cues, video_id), query)
        return JSONResponse(
            {"schema": "framefind/cues/v1", "cues": [vars(cue) for cue in selected]},
            headers=_REVALIDATE,
        )

    @router.get(
        "/{video_id}/cues.vtt",
        responses=describe_responses(None, 404, 422, 503, media="text/vtt"),
        response_class=Response,
    )
    async def subtitles(
        video_id: VideoId,
        query: CuesQuery,
        offset: Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)] = 0.0,
    ) -> Response:
        """Return the same as WebVTT, whose time 0 is `offset` seconds into the video."""
        selected = _select(await asyncio.to_thread(state.cues, video_id), query)
        return Response(write_vtt(selected, offset), media_type="text/vtt", headers=_REVALIDATE)

    return router


def _select(cues: Iterable[Cue], query: schemas.CuesQuery) -> list[Cue]:
    return [
        cue
        for cue in cues
        if query.source in (None, cue.source) and query.language in (None, cue.language)
    ]
