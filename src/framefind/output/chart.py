"""The chart of retrieval quality: recall, the ranks of the right videos, the worst queries."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import UsageError
from framefind.output import drawing
from framefind.output.drawing import (
    ACCENT,
    BRIGHT,
    CAPTION,
    CELL,
    GAP,
    GROUND,
    MARGIN,
    PANEL,
    QUIET,
)
from framefind.output.printable import write_confidence

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Drawing

    from framefind.evaluation import Answer, Quality

_WIDTH = 2 * MARGIN + 4 * CELL[0] + 3 * GAP
_PLOT = (_WIDTH - 2 * MARGIN - GAP) // 2, 300
_TOP = 120  # the header, above the plots
_MAX_RANKS = (1, 2, 3, 5, 10, 20, 50, 100)  # the last rank of each bar

Point = tuple[float, float]


def draw_chart(
    quality: "Quality",
    worst: "Sequence[tuple[Answer, bytes | None, bytes | None]]",
    path: str | Path,
) -> None:
    """Draw the quality of a library and write it to `path`, a .png or a .jpg.

    `worst` are answers with the JPEG bytes of the expected frame and of the best hit.
    Raises UsageError for another suffix, OSError if the file cannot be written.
    """
    from PIL import Image, ImageDraw

    path = Path(path)
    if path.suffix.lower() not in drawing.FORMATS:
        raise UsageError(f"picture {str(path)!r}: use a name that ends in .png or .jpg")
    pitch = CELL[1] + CAPTION + GAP
    plots = _TOP + _PLOT[1] + 40 + GAP
    height = MARGIN + plots + math.ceil(len(worst) / 2) * pitch + MARGIN
    canvas = Image.new("RGB", (_WIDTH, height), GROUND)
    draw = ImageDraw.Draw(canvas)
    _header(draw, quality)
    _recall(draw, quality, (MARGIN, MARGIN + _TOP))
    _ranks(draw, quality, (MARGIN + _PLOT[0] + GAP, MARGIN + _TOP))
    for at, (answer, expected, best) in enumerate(worst):
        x = MARGIN + at % 2 * 2 * (CELL[0] + GAP)
        _pair(canvas, draw, answer, (expected, best), (x, MARGIN + plots + at // 2 * pitch))
    canvas.save(path, drawing.FORMATS[path.suffix.lower()], quality=drawing.JPEG_QUALITY)


def _header(draw: "Drawing", quality: "Quality") -> None:
    figures = [(f"R@{first}", f"{quality.recall(first):.1%}") for first in (1, 5, 10)]
    figures.append(("median rank", f"{quality.median_rank:g}"))
    x = float(MARGIN)
    for name, figure in figures:
        x += drawing.write_text(draw, (x, MARGIN + 34), figure, 36, BRIGHT, 400) + 8
        x += drawing.write_text(draw, (x, MARGIN + 34), name, 18, QUIET, 400) + 36
    queries = write_count(len(quality.answers), "query", "queries")
    caption = f"{queries} of {write_count(quality.videos, 'video')}  ·  {quality.model}"
    where = _WIDTH - MARGIN, MARGIN + 34
    drawing.write_text(
        draw, where, f"{caption}  ·  {quality.rank}", 18, QUIET, _WIDTH - x, anchor="rs"
    )
    names = "recall: right video among the first k", "where the right video came"
    for at, name in enumerate(names):
        drawing.write_text(
            draw, (MARGIN + at * (_PLOT[0] + GAP), MARGIN + 96), name, 18, BRIGHT, 600
        )


def _recall(draw: "Drawing", quality: "Quality", corner: tuple[int, int]) -> None:
    """Draw recall among the first k, over k on a logarithmic scale; chance is grey."""
    last = max(2, quality.videos)

    def at(k: float, share: float) -> Point:
        x = corner[0] + _PLOT[0] * math.log(k) / math.log(last)
        return x, corner[1] + _PLOT[1] * (1 - share)

    _panel(draw, corner)
    for share in (0.25, 0.5, 0.75):
        draw.line([at(1, share), at(last, share)], GROUND, 2)
        drawing.write_text(
            draw, (corner[0] + 8, at(1, share)[1] - 6), f"{share:.0%}", 14, QUIET, 60
        )
    for k in (k for k in (1, 2, 5, 10, 20, 50, 100, 1000, 10000) if k <= last):
        x = max(at(k, 0)[0], corner[0] + 6)
        drawing.write_text(draw, (x, corner[1] + _PLOT[1] + 24), str(k), 16, QUIET, 80, anchor="ms")
    ks = [math.exp(step / 100 * math.log(last)) for step in range(101)]
    draw.line([at(k, k / last) for k in ks], QUIET, 2)
    draw.line([at(k, quality.recall(math.floor(k + 1e-9))) for k in ks], ACCENT, 4)


def _ranks(draw: "Drawing", quality: "Quality", corner: tuple[int, int]) -> None:
    """Draw how many queries had their video at the ranks of each bin."""
    tops = [*(top for top in _MAX_RANKS if top < quality.videos), max(1, quality.videos)]
    lows = [1, *(top + 1 for top in tops[:-1])]
    ranks = [answer.rank for answer in quality.answers]
    counts = [
        sum(low <= rank <= top for rank in ranks) for low, top in zip(lows, tops, strict=True)
    ]
    _panel(draw, corner)
    step = _PLOT[0] / len(tops)
    for at, (low, top, count) in enumerate(zip(lows, tops, counts, strict=True)):
        left, bottom = corner[0] + at * step, corner[1] + _PLOT[1]
        tall = (_PLOT[1] - 40) * count / max(1, *counts)
        draw.rectangle((left + 8, bottom - tall, left + step - 8, bottom), ACCENT)
        middle = left + step / 2
        drawing.write_text(
            draw, (middle, bottom - tall - 8), str(count), 16, BRIGHT, step, anchor="ms"
        )
        name = f"{low}" if low == top else f"{low}-{top}"
        drawing.write_text(draw, (middle, bottom + 24), name, 16, QUIET, step, anchor="ms")


def _panel(draw: "Drawing", corner: tuple[int, int]) -> None:
    draw.rectangle((*corner, corner[0] + _PLOT[0], corner[1] + _PLOT[1]), PANEL)


def _pair(
    canvas: "Picture",
    draw: "Drawing",
    answer: "Answer",
    pictures: tuple[bytes | None, bytes | None],
    corner: tuple[int, int],
) -> None:
    """Draw the expected frame and the best hit side by side, with the query below."""
    x, y = corner
    roles = f"wanted, rank {answer.rank}", f"found, {write_confidence(answer.found)}"
    moments = answer.wanted, answer.found
    for at, (picture, moment, role) in enumerate(zip(pictures, moments, roles, strict=True)):
        left = x + at * (CELL[0] + GAP)
        canvas.paste(drawing.draw_card(picture, moment.box), (left, y), drawing.cell_mask())
        drawing.write_text(draw, (left, y + CELL[1] + 50), role, 16, QUIET, CELL[0])
    drawing.write_text(draw, (x, y + CELL[1] + 26), answer.text, 20, BRIGHT, 2 * CELL[0] + GAP)
