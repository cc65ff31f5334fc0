"""Export: moments of the library as a file for other programs, or several in a ZIP."""

import asyncio
import os
import shutil
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from framefind import arguments
from framefind.errors import VideoError
from framefind.output.export import CLIPS, FORMATS, REEL, find_suffix, makes_folder
from framefind.output.files import safe_name
from framefind.output.options import MAX_CUT_SECONDS, How
from framefind.reports import Exported
from framefind.server import schemas
from framefind.server.limiter import Limiter
from framefind.server.playback.ranges import read_file
from framefind.server.problems import describe_responses
from framefind.server.routing import Router
from framefind.server.state import LibraryState
from framefind.server.streaming import GeneratorResponse, attachment
from framefind.types import Match, Moment

_MEDIA_TYPE = "application/octet-stream"


def router(state: LibraryState, limiter: Limiter) -> APIRouter:
    """Return the route that exports."""
    router = Router(prefix="/v1", tags=["search"])

    @router.post(
        "/export",
        responses=describe_responses(None, 404, 413, 415, 422, 503, media=_MEDIA_TYPE),
        response_class=Response,
    )
    async def export(order: schemas.Export) -> Response:
        """Send moments as a file for editors, players or people; several files come in a ZIP.

        The header `X-Failed` counts moments whose video cannot be read.
        """
        arguments.choice(order.to, "to", FORMATS)
        moments = [_as_moment(moment, state) for moment in order.moments]
        seconds = sum(moment.end - moment.start + 2 * order.padding for moment in moments)
        if order.to in (CLIPS, REEL) and seconds > MAX_CUT_SECONDS:
            raise HTTPException(422, f"clips of more than {MAX_CUT_SECONDS:.0f} s together")
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="framefind-")
        try:
            file, exported = await limiter.run(_write, state, moments, order, Path(folder))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, VideoError):
                raise HTTPException(415, "none of the videos can be read") from None
            raise
        size = os.path.getsize(file)
        headers = {
            "Content-Disposition": attachment(file.name),
            "Content-Length": str(size),
            "X-Failed": str(len(exported.failed)),
        }
        return GeneratorResponse(
            read_file(str(file), range(size)),
            headers=headers,
            media_type=_MEDIA_TYPE,
            cleanup=partial(asyncio.to_thread, shutil.rmtree, folder, ignore_errors=True),
        )

    return router


def _as_moment(moment: schemas.ExportedMoment, state: LibraryState) -> Moment:
    """Return a moment of the library. Raises HTTPException 404 and 422."""
    row = state.video(moment.video_id)
    if not moment.start <= moment.end:
        raise HTTPException(422, "a moment's end must not come before its start")
    t = moment.start if moment.t is None else moment.t
    figures = moment.score, moment.confidence, moment.box
    why = tuple(
        Match(**{**match.model_dump(), "spans": tuple(match.spans)}) for match in moment.why
    )
    return Moment(row.path, row.video_id, moment.start, moment.end, t, *figures, why=why)


def _write(
    state: LibraryState, moments: list[Moment], order: schemas.Export, folder: Path
) -> tuple[Path, Exported]:
    """Return the file to send, and what was exported. Raises VideoError where nothing was."""
    title = safe_name(order.title)
    how: How = {"title": order.title, "padding": order.padding, "titles": order.titles}
    several = makes_folder(order.to, len({moment.video_id for moment in moments}))
    target = folder / (title if several else f"{title}{find_suffix(order.to)}")
    exported = state.library.export(moments, order.to, target, **how)
    if not exported.files:
        raise VideoError(next(iter(exported.failed.values()), "nothing was exported"))
    if len(exported.files) == 1:
        return Path(exported.files[0]), exported
    bundle = folder / f"{title}.zip"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as archive:
        for file in exported.files:
            archive.write(file, Path(file).name)
    return bundle, exported
