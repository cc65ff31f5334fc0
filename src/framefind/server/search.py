"""Searching: a page of results, and the scores of every frame of a video."""

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from framefind import models
from framefind.confidence import confidence
from framefind.export import document
from framefind.moments import Moment, Page
from framefind.server import documents
from framefind.server.problems import answers
from framefind.server.shelf import Shelf
from framefind.server.videos import VideoId
from framefind.vectors import Scores

_MAX_PICTURES = 8
WHOLE = (0.0, 0.0, 1.0, 1.0)


def router(shelf: Shelf) -> APIRouter:
    """The routes that search."""
    routes = APIRouter(prefix="/v1", tags=["search"])

    @routes.get("/search", responses=answers(documents.Found, 422, 503))
    async def search(query: Annotated[documents.SearchQuery, Query()]) -> JSONResponse:
        """Find moments by text, by a frame of the library, or by a weighted sum of several."""
        return JSONResponse(await asyncio.to_thread(_search, shelf, query, []))

    @routes.post(
        "/search", responses=answers(documents.Found, 413, 422, 503), openapi_extra=_form()
    )
    async def search_by_picture(request: Request) -> JSONResponse:
        """Find moments by uploaded pictures, alone or together with all that GET takes."""
        query, pictures = await _read_form(request)
        return JSONResponse(await asyncio.to_thread(_search, shelf, query, pictures))

    @routes.get(
        "/videos/{video_id}/scores",
        responses=answers(documents.Scores, 404, 422, 503),
    )
    async def scores(
        video_id: VideoId, query: Annotated[documents.SearchQuery, Query()]
    ) -> JSONResponse:
        """How well each frame of a video answers a query."""
        shelf.video(video_id)
        return JSONResponse(await asyncio.to_thread(_scores, shelf, video_id, query, []))

    @routes.post(
        "/videos/{video_id}/scores",
        responses=answers(documents.Scores, 404, 413, 422, 503),
        openapi_extra=_form(),
    )
    async def scores_by_picture(request: Request, video_id: VideoId) -> JSONResponse:
        """How well each frame of a video answers a query with uploaded pictures."""
        shelf.video(video_id)
        query, pictures = await _read_form(request)
        return JSONResponse(await asyncio.to_thread(_scores, shelf, video_id, query, pictures))

    return routes


def _search(shelf: Shelf, query: documents.SearchQuery, pictures: list[bytes]) -> dict[str, Any]:
    if shelf.is_empty:
        page = Page([], 0, query.offset)
    else:
        page = shelf.library.search(
            query.q or None,
            image=_image(query, pictures),
            plus=query.plus,
            minus=query.minus,
            then=query.then,
            within=query.within,
            limit=query.limit,
            offset=query.offset,
            by=query.by,
            rank=query.rank,
            min_score=query.min_score,
            min_confidence=query.min_confidence,
            video=query.video,
            start=query.start,
            end=query.end,
            after=query.after,
            before=query.before,
        )
    said = query.model_dump(include={"image", "plus", "minus", "then"})
    made = document(page, {"text": query.q or None, **said})
    for moment in made.get("moments", []):
        moment["thumbnail"] = thumbnail_url(moment)
    for video in made.get("videos", []):
        for moment in video["moments"]:
            moment["thumbnail"] = thumbnail_url(moment)
    return made


def thumbnail_url(moment: dict[str, Any]) -> str:
    """Where a moment's picture is."""
    return f"/v1/videos/{moment['video_id']}/thumbnails/{moment['t']!r}.jpg"


def _image(query: documents.Query, pictures: list[bytes]) -> Moment | bytes | None:
    """The picture of a query: never a path or an address, which Library would open."""
    if pictures:
        return pictures[0]
    if query.image is None:
        return None
    video_id, _, t = query.image.partition("@")
    return Moment("", video_id, float(t), float(t), float(t), 0.0, 0.0, WHOLE)


def _scores(
    shelf: Shelf, video_id: str, query: documents.SearchQuery, pictures: list[bytes]
) -> dict[str, Any]:
    library = shelf.library
    index = library._index()
    model = library._model(index.fingerprint)
    vector = library._query(
        index, model, query.q or None, _image(query, pictures), query.plus, query.minus
    )
    owner = index.videos.find(video_id)
    if owner is None:
        return {"times": [], "scores": [], "confidences": []}
    kept = np.zeros(len(index.videos), bool)
    kept[owner] = True
    line = index.timeline.select(kept)
    scored = Scores(index, vector, line)
    every = np.arange(len(line))
    scored.settle(every)
    views = np.asarray(index.vectors[scored.best_views(every)])
    sure = confidence(scored.values, vector, views, models.neutral(model))
    return {
        "times": line.t.tolist(),
        "scores": scored.values.tolist(),
        "confidences": sure.tolist(),
    }


async def _read_form(request: Request) -> tuple[documents.SearchQuery, list[bytes]]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(415, "send multipart/form-data")
    async with request.form(max_files=_MAX_PICTURES, max_fields=128) as form:
        pictures = [
            await part.read() for part in form.getlist("image") if not isinstance(part, str)
        ]
        fields: dict[str, Any] = {}
        for name, value in form.multi_items():
            if not isinstance(value, str):
                continue
            if name in ("plus", "minus", "video"):
                fields.setdefault(name, []).append(value)
            else:
                fields[name] = value
    try:
        return documents.SearchQuery.model_validate(fields), pictures
    except ValidationError as error:
        from fastapi.exceptions import RequestValidationError

        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        ) from None


def _form() -> dict[str, Any]:
    """The OpenAPI description of the multipart form."""
    schema = documents.SearchQuery.model_json_schema()
    picture = {"type": "array", "items": {"type": "string", "format": "binary"}}
    schema["properties"] = {"image": picture | {"maxItems": _MAX_PICTURES}} | {
        name: field for name, field in schema["properties"].items() if name != "image"
    }
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }
