"""Search: a page of results, and the scores of every frame of a video."""

from collections.abc import Sequence
from typing import Annotated, Any

import fastapi
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from framefind.files import stills
from framefind.output.json import build_document
from framefind.search.search import score_frames, search_each
from framefind.search.search import search as search_index
from framefind.server import schemas
from framefind.server.api.videos import VideoId
from framefind.server.batching import Batcher
from framefind.server.limiter import Limiter
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.state import LibraryState, Snapshot
from framefind.types import Crop, FrameScores, Image, Moment, Page, Query
from framefind.video.views import WHOLE

MAX_UPLOADED_IMAGES = 8
_MAX_FORM_FIELDS = 128
_LIST_FIELDS = ("plus", "minus", "video", "in")
_SCORE_COLUMNS = ("times", "scores", "confidences")
SearchQuery = Annotated[schemas.SearchQuery, fastapi.Query()]


def router(state: LibraryState, limiter: Limiter) -> APIRouter:
    """Return the routes that search."""
    router = Router(prefix="/v1", tags=["search"])
    batcher: Batcher[Query, Page] = Batcher(lambda queries: _search_all(state.snapshot, queries))

    async def find(parameters: schemas.SearchQuery, images: list[bytes]) -> JSONResponse:
        query = _as_query(parameters, images)
        if query.then is None and query.by == "moment" and query.image is None:
            page = await batcher.ask(query)
        else:  # takes longer: other searches do not wait for it
            page = await limiter.run(_search, state.snapshot, query)
        return JSONResponse(_with_thumbnails(build_document(page, query.document())))

    async def score(
        video_id: str, parameters: schemas.SearchQuery, images: list[bytes]
    ) -> JSONResponse:
        state.video(video_id)
        query = _as_query(parameters, images)
        scores = await limiter.run(_score_frames, state.snapshot, video_id, query)
        return JSONResponse({name: getattr(scores, name).tolist() for name in _SCORE_COLUMNS})

    @router.get("/search", responses=describe_responses(schemas.SearchResults, 422, 503))
    async def search(query: SearchQuery) -> JSONResponse:
        """Find moments by text, by a frame of the library, or by a weighted sum of several."""
        return await find(query, [])

    @router.post(
        "/search",
        responses=describe_responses(schemas.SearchResults, 413, 415, 422, 503),
        openapi_extra=_describe_form(),
    )
    async def search_by_image(request: Request) -> JSONResponse:
        """Find moments by uploaded pictures, alone or together with all that GET takes."""
        return await find(*await read_form(request))

    @router.get(
        "/videos/{video_id}/scores", responses=describe_responses(schemas.Scores, 404, 422, 503)
    )
    async def scores(video_id: VideoId, query: SearchQuery) -> JSONResponse:
        """Score each frame of a video against a query; filters are ignored."""
        return await score(video_id, query, [])

    @router.post(
        "/videos/{video_id}/scores",
        responses=describe_responses(schemas.Scores, 404, 413, 415, 422, 503),
        openapi_extra=_describe_form(),
    )
    async def scores_by_image(request: Request, video_id: VideoId) -> JSONResponse:
        """Score each frame of a video against a query with uploaded pictures."""
        return await score(video_id, *await read_form(request))

    return router


async def read_form(request: Request) -> tuple[schemas.SearchForm, list[bytes]]:
    """Return the fields and the images of a multipart form.

    Raises HTTPException (413, 415, 422), RequestValidationError, and QueryError for an image that
    may not be decoded.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "send multipart/form-data")
    fields: dict[str, Any] = {}
    images: list[bytes] = []
    async with request.form(max_files=MAX_UPLOADED_IMAGES, max_fields=_MAX_FORM_FIELDS) as form:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                if name != "image":
                    raise HTTPException(422, "name the field of each picture `image`")
                image = await value.read()
                check_image(image)
                images.append(image)
            elif name in _LIST_FIELDS:
                fields.setdefault(name, []).append(value)
            else:
                fields[name] = value
    try:
        return schemas.SearchForm.model_validate(fields), images
    except ValidationError as error:
        errors = [{**invalid, "loc": ("body", *invalid["loc"])} for invalid in error.errors()]
        raise RequestValidationError(errors) from None


def check_image(image: bytes) -> None:
    """Raise QueryError if the header of an image says that it may not be decoded."""
    with stills.opened(image, "the picture", stills.UPLOADED, stills.MAX_UPLOADED_PIXELS):
        pass


def _describe_form() -> dict[str, Any]:
    """Return the OpenAPI description of the form."""
    schema = schemas.SearchForm.model_json_schema()
    file = {"type": "string", "format": "binary"}
    schema["properties"]["image"] = {
        "type": "array",
        "items": file,
        "maxItems": MAX_UPLOADED_IMAGES,
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _as_query(parameters: schemas.SearchQuery, uploaded: Sequence[bytes]) -> Query:
    """Return the query of the library, which never has a path or an address of an image."""
    images: list[bytes | Moment] = list(uploaded)
    if parameters.image is not None:
        video_id, _, seconds = parameters.image.partition("@")
        t = float(seconds)
        images.append(Moment(video_id, video_id, t, t, t, 0.0, 0.0, WHOLE))
    box = getattr(parameters, "box", None)
    cropped: list[Image] = [Crop(image, box) if box else image for image in images]
    options = parameters.model_dump(exclude={"q", "image", "box"})
    return Query(parameters.q or None, image=cropped or None, **options)


def _search(snapshot: Snapshot, query: Query) -> Page:
    if snapshot.index is None or snapshot.model is None:
        return Page([], 0, query.offset)
    return next(search_index([query], snapshot.index, snapshot.model))


def _search_all(snapshot: Snapshot, queries: Sequence[Query]) -> Sequence[Page | Exception]:
    """Return the page of each query, or the QueryError that it raises."""
    if snapshot.index is None or snapshot.model is None:
        return [Page([], 0, query.offset) for query in queries]
    return list(search_each(queries, snapshot.index, snapshot.model))


def _score_frames(snapshot: Snapshot, video_id: str, query: Query) -> FrameScores:
    assert snapshot.index
    assert snapshot.model
    return score_frames(query, video_id, snapshot.index, snapshot.model)


def _with_thumbnails(results: dict[str, Any]) -> dict[str, Any]:
    """Add the address of its thumbnail to each moment of a document; return the document."""
    moments = list(results.get("moments", []))
    for video in results.get("videos", []):
        moments += video["moments"]
    for moment in moments:
        video = f"/v1/videos/{moment['video_id']}"
        moment["thumbnail"] = f"{video}/thumbnails/{moment['t']!r}.jpg"
    return results
