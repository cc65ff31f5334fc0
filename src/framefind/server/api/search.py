"""Searching: a page of results, and the scores of every frame of a video."""

from collections.abc import Sequence
from typing import Annotated, Any

import fastapi
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from framefind.errors import QueryError
from framefind.output.documents import document
from framefind.search.search import frame_scores
from framefind.search.search import search as search_index
from framefind.server import schemas
from framefind.server.api.videos import VideoId
from framefind.server.batching import Batcher
from framefind.server.limiter import Limiter
from framefind.server.problems import answers as described
from framefind.server.routing import Router
from framefind.server.state import LibraryState, Snapshot
from framefind.server.uploads import described as form
from framefind.server.uploads import read_form
from framefind.types import Crop, FrameScores, Image, Moment, Page, Query
from framefind.video.views import WHOLE

Given = Annotated[schemas.SearchQuery, fastapi.Query()]


def router(shelf: LibraryState, work: Limiter) -> APIRouter:
    """The routes that search."""
    routes = Router(prefix="/v1", tags=["search"])
    together: Batcher[Query, Page] = Batcher(lambda all: _pages(shelf.snapshot, all))

    async def find(query: schemas.SearchQuery, pictures: list[bytes]) -> JSONResponse:
        asked = _query(query, pictures)
        if asked.then is None and asked.by == "moment" and asked.image is None:
            page = await together.ask(asked)
        else:  # takes longer: others do not wait for it
            page = await work.do(_page, shelf.snapshot, asked)
        return JSONResponse(_document(page, asked))

    async def score(
        video_id: str, query: schemas.SearchQuery, pictures: list[bytes]
    ) -> JSONResponse:
        shelf.video(video_id)
        scores = await work.do(_scores, shelf.snapshot, video_id, _query(query, pictures))
        return JSONResponse({name: getattr(scores, name).tolist() for name in _COLUMNS})

    @routes.get("/search", responses=described(schemas.Found, 422, 503))
    async def search(query: Given) -> JSONResponse:
        """Find moments by text, by a frame of the library, or by a weighted sum of several."""
        return await find(query, [])

    @routes.post(
        "/search", responses=described(schemas.Found, 413, 415, 422, 503), openapi_extra=form()
    )
    async def search_by_picture(request: Request) -> JSONResponse:
        """Find moments by uploaded pictures, alone or together with all that GET takes."""
        return await find(*await read_form(request))

    @routes.get("/videos/{video_id}/scores", responses=described(schemas.Scores, 404, 422, 503))
    async def scores(video_id: VideoId, query: Given) -> JSONResponse:
        """How well each frame of a video answers a query; what filters is not looked at."""
        return await score(video_id, query, [])

    @routes.post(
        "/videos/{video_id}/scores",
        responses=described(schemas.Scores, 404, 413, 415, 422, 503),
        openapi_extra=form(),
    )
    async def scores_by_picture(request: Request, video_id: VideoId) -> JSONResponse:
        """How well each frame of a video answers a query with uploaded pictures."""
        return await score(video_id, *await read_form(request))

    return routes


_COLUMNS = ("times", "scores", "confidences")


def _query(query: schemas.SearchQuery, pictures: Sequence[bytes]) -> Query:
    """The same as the library takes it. It never holds a path or an address of a picture."""
    images: list[bytes | Moment] = list(pictures)
    if query.image is not None:
        video_id, _, text = query.image.partition("@")
        t = float(text)
        images.append(Moment(video_id, video_id, t, t, t, 0.0, 0.0, WHOLE))
    box = getattr(query, "box", None)
    shown: list[Image] = [Crop(image, box) if box else image for image in images]
    known = query.model_dump(exclude={"q", "image", "box"})
    return Query(query.q or None, image=shown or None, **known)


def _page(snapshot: Snapshot, asked: Query) -> Page:
    if snapshot.index is None or snapshot.model is None:
        return Page([], 0, asked.offset)
    return next(search_index([asked], snapshot.index, snapshot.model))


def _pages(snapshot: Snapshot, asked: Sequence[Query]) -> Sequence[Page | Exception]:
    if snapshot.index is None or snapshot.model is None:
        return [Page([], 0, query.offset) for query in asked]
    try:
        return list(search_index(asked, snapshot.index, snapshot.model))
    except QueryError as error:
        if len(asked) == 1:
            return [error]
        return [page for query in asked for page in _pages(snapshot, [query])]


def _scores(snapshot: Snapshot, video_id: str, asked: Query) -> FrameScores:
    assert snapshot.index
    assert snapshot.model
    return frame_scores(asked, video_id, snapshot.index, snapshot.model)


def _document(page: Page, asked: Query) -> dict[str, Any]:
    made = document(page, asked.document())
    videos = made.get("videos", [])
    for moment in [
        *made.get("moments", []),
        *(one for video in videos for one in video["moments"]),
    ]:
        name = f"{moment['t']!r}.jpg"
        moment["thumbnail"] = f"/v1/videos/{moment['video_id']}/thumbnails/{name}"
    return made
