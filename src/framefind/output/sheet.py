"""Contact sheets: the best frames of a page of moments in one picture."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import UsageError
from framefind.output import drawing
from framefind.output.drawing import ACCENT, BRIGHT, CAPTION, CELL, GAP, GROUND, MARGIN, QUIET
from framefind.output.printable import round_down, write_confidence
from framefind.output.timelines.base import video_name
from framefind.times import clock

if TYPE_CHECKING:  # Pillow is loaded only when a sheet is drawn
    from PIL.ImageDraw import ImageDraw as Drawing

    from framefind.types import Moment

_HEADER = 64  # pixels, as in `drawing`
_MAX_MOMENTS = 200  # on a sheet; with more it is too tall to look at


def draw_sheet(
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
    cells = list(zip(moments, pictures, strict=True))[:_MAX_MOMENTS]
    columns = 2 if len(cells) in (0, 1, 2, 4) else 3 if len(cells) < 10 else 4
    rows = max(1, math.ceil(len(cells) / columns))
    width = 2 * MARGIN + columns * (CELL[0] + GAP) - GAP
    pitch = CELL[1] + CAPTION + GAP
    canvas = Image.new("RGB", (width, 2 * MARGIN + _HEADER + rows * pitch - GAP), GROUND)
    draw = ImageDraw.Draw(canvas)
    _header(draw, title, len(moments), width)
    if not cells:
        where = width / 2, MARGIN + _HEADER + CELL[1] / 2
        drawing.write_text(draw, where, "Nothing found", 20, QUIET, CELL[0], anchor="mm")
    for index, (moment, picture) in enumerate(cells):
        x = MARGIN + index % columns * (CELL[0] + GAP)
        y = MARGIN + _HEADER + index // columns * pitch
        canvas.paste(drawing.draw_card(picture, moment.box), (x, y), drawing.cell_mask())
        _caption(draw, moment, x, y + CELL[1] + 20)
    canvas.save(
        path, drawing.FORMATS[path.suffix.lower()], quality=drawing.JPEG_QUALITY, subsampling=0
    )


def _header(draw: "Drawing", title: str, count: int, width: int) -> None:
    total = write_count(count, "moment")
    if count > _MAX_MOMENTS:
        total = f"first {_MAX_MOMENTS} of {total}"
    total_width = drawing.write_text(
        draw, (width - MARGIN, MARGIN + 22), total, 17, QUIET, 300, anchor="rs"
    )
    room = width - 2 * MARGIN - total_width - GAP
    drawing.write_text(draw, (MARGIN, MARGIN + 22), title, 32, BRIGHT, room)


def _caption(draw: "Drawing", moment: "Moment", x: int, y: int) -> None:
    """Write two lines from the baseline y on: the file's name; its span, score and confidence."""
    drawing.write_text(draw, (x, y + 5), video_name(moment.path), 18, BRIGHT, CELL[0])
    span = f"{clock(moment.start)} - {clock(moment.end)}"
    if moment.then:
        span = f"{clock(moment.start)}, then {clock(moment.then.start)}"
    score = round_down(moment.score, 1)
    figures = f"score {score}  ·  {write_confidence(moment)}"
    figures_width = drawing.write_text(
        draw, (x + CELL[0], y + 31), figures, 16, QUIET, CELL[0], anchor="rs"
    )
    drawing.write_text(draw, (x, y + 31), span, 17, ACCENT, CELL[0] - figures_width - 12)
