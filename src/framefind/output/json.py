"""Results for people and programs: JSON documents, tab-separated lines, times, contact sheets."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind.counts import write_count
from framefind.errors import UsageError
from framefind.output import drawing
from framefind.output.drawing import ACCENT, BRIGHT, CAPTION, CELL, GAP, GROUND, MARGIN, QUIET
from framefind.output.printable import printable
from framefind.times import clock

if TYPE_CHECKING:  # Pillow is loaded by who draws a sheet, and only then
    from PIL.ImageDraw import ImageDraw as Drawing

    from framefind.types import Moment, Page

SCHEMA = "framefind/v1"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `document` gives."""
    text = Path(__file__).with_name("schema.json").read_text("utf-8")
    return dict(json.loads(text))


def document(page: "Page", query: dict[str, Any]) -> dict[str, Any]:
    """A page of results as one JSON document of `schema()`; `query` stands in it as it is.

    It holds `videos` if the page was asked for by video, otherwise `moments`.
    """
    made: dict[str, Any] = {"schema": SCHEMA, "query": query}
    made |= {"offset": page.offset, "total": page.total, "complete": page.complete}
    if page.notes:
        made["notes"] = page.notes
    if page.videos is not None:
        made["videos"] = [asdict(video) for video in page.videos]
    else:
        made["moments"] = [asdict(moment) for moment in page.moments]
    return {key: _members(value) for key, value in made.items()}


def _members(value: Any) -> Any:
    """The same with NumPy's numbers and arrays and all tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: _members(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_members(member) for member in value]
    return value.tolist() if hasattr(value, "tolist") else value


def tsv(page: "Page") -> Iterator[str]:
    r"""A page of results as lines, tab-separated, without header or line ends.

    A moment: path, start, end, t, score, confidence, and for a `then` query the start, end and t
    of what follows. A video, if the page was asked for by video:
    path, score, number of moments, t of its best one. Times are in seconds and exact, so that they
    name the same frame when they are given back. Tab, newline and backslash in a path
    are written \t, \n and \\, other characters that do not just print as \x1b or \u202e.
    """
    for video in page.videos or ():
        best = max(video.moments, key=lambda moment: moment.score, default=None)
        t = "" if best is None else f"{float(best.t)!r}"
        yield f"{escaped(video.path)}\t{floored(video.score, 2)}\t{len(video.moments)}\t{t}"
    for moment in page.moments if page.videos is None else ():
        after = moment.then
        times = "\t".join(f"{float(x)!r}" for x in (moment.start, moment.end, moment.t))
        then = "".join(f"\t{x!r}" for x in (after.start, after.end, after.t)) if after else ""
        sure = f"{floored(moment.score, 2)}\t{floored(moment.confidence, 3)}"
        yield f"{escaped(moment.path)}\t{times}\t{sure}{then}"


def floored(value: float, digits: int) -> str:
    """A number rounded down, so that `--min-score` and the like with what is shown keep it."""
    unit = 10**digits
    return f"{math.floor(value * unit) / unit:.{digits}f}"


def escaped(text: str) -> str:
    """A field of a tab-separated line: backslashes are doubled, so that escapes are told apart."""
    return printable(text.replace("\\", "\\\\"))


_HEADER = 64  # pixels, as in `drawing`
_SHOWN = 200  # moments at most: beyond, a sheet is too tall to look at


def sheet(
    moments: "Sequence[Moment]",
    pictures: Sequence[bytes | None],
    title: str,
    path: str | Path,
) -> None:
    """Draw a contact sheet of `moments` and write it to `path`, a .jpg or a .png.

    `pictures` are JPEG bytes of the moments' best frames, or None. Each is shown with the box of
    the best view, the video's file name, the time span, score and confidence; the sheet holds the
    first 200. Raises UsageError for another suffix, OSError if the file cannot be written.
    """
    from PIL import Image, ImageDraw

    path = Path(path)
    if path.suffix.lower() not in drawing.FORMATS:
        raise UsageError(f"sheet {str(path)!r}: use a name that ends in .jpg or .png")
    shown = list(zip(moments, pictures, strict=True))[:_SHOWN]
    columns = 2 if len(shown) in (0, 1, 2, 4) else 3 if len(shown) < 10 else 4
    rows = max(1, math.ceil(len(shown) / columns))
    width = 2 * MARGIN + columns * (CELL[0] + GAP) - GAP
    pitch = CELL[1] + CAPTION + GAP
    canvas = Image.new("RGB", (width, 2 * MARGIN + _HEADER + rows * pitch - GAP), GROUND)
    draw = ImageDraw.Draw(canvas)
    _header(draw, title, len(moments), width)
    if not shown:
        where = width / 2, MARGIN + _HEADER + CELL[1] / 2
        drawing.write(draw, where, "Nothing found", 20, QUIET, CELL[0], anchor="mm")
    for index, (moment, picture) in enumerate(shown):
        x = MARGIN + index % columns * (CELL[0] + GAP)
        y = MARGIN + _HEADER + index // columns * pitch
        canvas.paste(drawing.card(picture, moment.box), (x, y), drawing.rounded())
        _caption(draw, moment, x, y + CELL[1] + 20)
    canvas.save(path, drawing.FORMATS[path.suffix.lower()], quality=92, subsampling=0)


def _header(draw: "Drawing", title: str, count: int, width: int) -> None:
    found = write_count(count, "moment")
    if count > _SHOWN:
        found = f"first {_SHOWN} of {found}"
    taken = drawing.write(draw, (width - MARGIN, MARGIN + 22), found, 17, QUIET, 300, anchor="rs")
    room = width - 2 * MARGIN - taken - GAP
    drawing.write(draw, (MARGIN, MARGIN + 22), title, 32, BRIGHT, room)


def _caption(draw: "Drawing", moment: "Moment", x: int, y: int) -> None:
    """Two lines whose first baseline is at y: the file's name; its span, score and confidence."""
    name = re.split(r"[/\\]", moment.path.rstrip("/\\"))[-1]
    drawing.write(draw, (x, y + 5), name, 18, BRIGHT, CELL[0])
    span = f"{clock(moment.start)} - {clock(moment.end)}"
    if moment.then:
        span = f"{clock(moment.start)}, then {clock(moment.then.start)}"
    score, sure = floored(moment.score, 1), floored(moment.confidence, 2)
    figures = f"score {score}  ·  confidence {sure}"
    taken = drawing.write(draw, (x + CELL[0], y + 31), figures, 16, QUIET, CELL[0], anchor="rs")
    drawing.write(draw, (x, y + 31), span, 17, ACCENT, CELL[0] - taken - 12)
