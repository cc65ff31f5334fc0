"""A sheet as PDF: pages of moments with their pictures and words, each a link to its video.

Each page is one drawn picture, so that names in every script look right, with rectangles that lead
to the videos.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from framefind.output import drawing
from framefind.output.timelines.base import describe, media_url, video_name
from framefind.times import clock
from framefind.types import Moment

if TYPE_CHECKING:  # Pillow is loaded only when something is drawn
    from PIL.Image import Image as Picture

_PAGE = 1240, 1754  # pixels of A4 at 150 dpi
_POINTS = 595, 842  # of the same
_MARGIN = 80  # pixels, as all below
_COLUMNS = 2
_ROWS = 4
_CELL = 520, 292
_PITCH = 560, 390
_TOP = 150
_GROUND = (255, 255, 255)
_INK = (24, 27, 33)
_QUIET = (96, 103, 116)
_QUALITY = 85  # of 100

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top in points from the lower left corner."""


def write(moments: Sequence[Moment], pictures: Sequence[bytes | None], title: str) -> bytes:
    """Return the file; `pictures` are JPEG bytes of the moments' best frames, or None."""
    cells = list(zip(moments, pictures, strict=True))
    size = _COLUMNS * _ROWS
    pages = [cells[at : at + size] for at in range(0, len(cells), size)]
    drawn = [_draw(page, f"{title}  ·  {n}/{len(pages)}") for n, page in enumerate(pages, 1)]
    return _assemble(drawn)


def _draw(
    cells: Sequence[tuple[Moment, bytes | None]], title: str
) -> tuple[bytes, list[tuple[Rectangle, str]]]:
    """Return a page as a JPEG, and the rectangles on it that lead somewhere."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", _PAGE, _GROUND)
    draw = ImageDraw.Draw(canvas)
    drawing.write_text(draw, (_MARGIN, 100), title, 30, _INK, _PAGE[0] - 2 * _MARGIN)
    links = []
    for number, (moment, picture) in enumerate(cells):
        x = _MARGIN + number % _COLUMNS * _PITCH[0]
        y = _TOP + number // _COLUMNS * _PITCH[1]
        _paste(canvas, moment, picture, (x, y))
        span = f"{clock(moment.start)} - {clock(moment.end)}  {video_name(moment.path)}"
        drawing.write_text(draw, (x, y + _CELL[1] + 30), span, 20, _INK, _CELL[0])
        drawing.write_text(draw, (x, y + _CELL[1] + 58), describe(moment), 16, _QUIET, _CELL[0])
        scale = _POINTS[0] / _PAGE[0]
        left, top = x * scale, _POINTS[1] - y * scale
        bottom = top - (_CELL[1] + 66) * scale
        url = f"{media_url(moment.path)}#t={moment.start:.3f},{moment.end:.3f}"
        links.append(((left, bottom, left + _CELL[0] * scale, top), url))
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue(), links


def _paste(
    canvas: "Picture", moment: Moment, picture: bytes | None, corner: tuple[int, int]
) -> None:
    card = drawing.draw_card(picture, moment.box).convert("RGB")
    canvas.paste(card.resize(_CELL), corner)


# -- the file (ISO 32000): numbered objects, and a table of where they begin


def _assemble(pages: Sequence[tuple[bytes, list[tuple[Rectangle, str]]]]) -> bytes:
    objects: dict[int, bytes] = {}
    numbers = count(3)  # 1: the catalogue, 2: the list of pages
    kids = []
    for jpeg, links in pages:
        image = next(numbers)
        content = next(numbers)
        page = next(numbers)
        objects[image] = _stream(
            f"/Type /XObject /Subtype /Image /Width {_PAGE[0]} /Height {_PAGE[1]} "
            "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
            jpeg,
        )
        objects[content] = _stream("", f"{_POINTS[0]} 0 0 {_POINTS[1]} 0 0 cm /P Do".encode())
        annotations = " ".join(_link(rectangle, url) for rectangle, url in links)
        objects[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_POINTS[0]} {_POINTS[1]}] "
            f"/Resources << /XObject << /P {image} 0 R >> >> /Contents {content} 0 R "
            f"/Annots [{annotations}] >>"
        ).encode()
        kids.append(f"{page} 0 R")
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    return b"".join(_number(objects))


def _number(objects: dict[int, bytes]) -> Iterator[bytes]:
    """Yield the parts of a file with these objects, and the table of their offsets."""
    at = 0
    offsets = {}
    for number, body in [(0, b"%PDF-1.4\n"), *sorted(objects.items())]:
        part = body if number == 0 else b"%d 0 obj\n%s\nendobj\n" % (number, body)
        offsets[number] = at
        at += len(part)
        yield part
    size = len(objects) + 1
    table = "".join(f"{offsets[number]:010} 00000 n \n" for number in range(1, size))
    yield f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode()
    yield f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF\n".encode()


def _stream(facts: str, data: bytes) -> bytes:
    return f"<< {facts} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _link(rectangle: Rectangle, url: str) -> str:
    """Return an annotation; a URL has no parentheses or backslashes once they are escaped."""
    corners = " ".join(f"{side:.2f}" for side in rectangle)
    safe = url.replace("\\", "%5C").replace("(", "%28").replace(")", "%29")
    return (
        f"<< /Type /Annot /Subtype /Link /Rect [{corners}] /Border [0 0 0] "
        f"/A << /S /URI /URI ({safe}) >> >>"
    )
