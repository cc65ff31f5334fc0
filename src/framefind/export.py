"""Results for people and programs: JSON documents, tab-separated lines, times, contact sheets."""

import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Pillow is loaded by who draws a sheet, and only then
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Drawing
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from framefind.moments import Moment, Page
    from framefind.views import Box

    Font = FreeTypeFont | ImageFont

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
    made |= {"offset": page.offset, "total": page.total}
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

    A moment: path, start, end, t, score, confidence. A video, if the page was asked for by video:
    path, score, number of moments, t of its best one. Times are in seconds and exact, so that they
    name the same frame when they are given back. Tab, newline, carriage return and backslash
    in a path are written \t, \n, \r and \\.
    """
    for video in page.videos or ():
        best = max(video.moments, key=lambda moment: moment.score, default=None)
        t = "" if best is None else f"{float(best.t)!r}"
        yield f"{escaped(video.path)}\t{video.score:.2f}\t{len(video.moments)}\t{t}"
    for moment in page.moments if page.videos is None else ():
        times = "\t".join(f"{float(x)!r}" for x in (moment.start, moment.end, moment.t))
        yield f"{escaped(moment.path)}\t{times}\t{moment.score:.2f}\t{moment.confidence:.3f}"


def escaped(text: str) -> str:
    """A field of a tab-separated line."""
    text = text.replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def clock(seconds: float) -> str:
    """A time for people: `0:07`, `1:30.5`, `1:02:03`; to a tenth, which is left out when zero."""
    tenths = round(abs(seconds) * 10)
    sign = "-" if seconds < 0 and tenths else ""
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths // 10:02}.{tenths % 10}".removesuffix(".0")
    return sign + (f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}")


_TIME = re.compile(
    r"(?P<seconds>[0-9]{1,9}(\.[0-9]+)?)s?"
    r"|((?P<h>[0-9]{1,6}):(?=[0-5]?[0-9]:))?(?P<m>[0-9]{1,6}):(?P<s>[0-5]?[0-9](\.[0-9]+)?)"
)


def parse_time(text: str) -> float:
    """Seconds of `90`, `90s`, `1:30` or `00:01:30.5`. Raises ValueError for anything else."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(f"time {text!r}: use seconds such as 90 or 1:30 or 00:01:30.5")
    if match["seconds"]:
        return float(match["seconds"])
    return int(match["h"] or 0) * 3600 + int(match["m"]) * 60 + float(match["s"])


# The contact sheet. All lengths are pixels.
_CELL = 400, 225
_MARGIN, _GAP, _HEADER, _CAPTION = 40, 28, 64, 58
_RADIUS = 10
_SHOWN = 200  # moments at most: beyond, a sheet is too tall to look at
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_GROUND, _PANEL = (16, 18, 22), (28, 31, 38)
_BRIGHT, _QUIET, _ACCENT = (240, 242, 245), (142, 149, 161), (255, 196, 61)
# Pillow's own font has little beyond ASCII; these are asked for the rest, where they are there.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)


def sheet(
    moments: "Sequence[Moment]",
    pictures: Sequence[bytes | None],
    title: str,
    path: str | Path,
) -> None:
    """Draw a contact sheet of `moments` and write it to `path`, a .jpg or a .png.

    `pictures` are JPEG bytes of the moments' best frames, or None. Each is shown with the box of
    the best view, the video's file name, the time span, score and confidence; the sheet holds the
    first 200. Raises ValueError for another suffix, OSError if the file cannot be written.
    """
    from PIL import Image, ImageDraw

    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"sheet {str(path)!r}: use a name that ends in .jpg or .png")
    shown = list(zip(moments, pictures, strict=True))[:_SHOWN]
    columns = 2 if len(shown) in (0, 1, 2, 4) else 3 if len(shown) < 10 else 4
    rows = max(1, math.ceil(len(shown) / columns))
    width = 2 * _MARGIN + columns * (_CELL[0] + _GAP) - _GAP
    pitch = _CELL[1] + _CAPTION + _GAP
    canvas = Image.new("RGB", (width, 2 * _MARGIN + _HEADER + rows * pitch - _GAP), _GROUND)
    draw = ImageDraw.Draw(canvas)
    _header(draw, title, len(moments), width)
    if not shown:
        where = width / 2, _MARGIN + _HEADER + _CELL[1] / 2
        _write(draw, where, "Nothing found", 20, _QUIET, _CELL[0], anchor="mm")
    for index, (moment, picture) in enumerate(shown):
        x = _MARGIN + index % columns * (_CELL[0] + _GAP)
        y = _MARGIN + _HEADER + index // columns * pitch
        canvas.paste(_card(picture, moment.box), (x, y), _rounded())
        _caption(draw, moment, x, y + _CELL[1] + 20)
    canvas.save(path, _FORMATS[path.suffix.lower()], quality=92, subsampling=0)


def _header(draw: "Drawing", title: str, count: int, width: int) -> None:
    found = f"{count} moment{'' if count == 1 else 's'}"
    if count > _SHOWN:
        found = f"first {_SHOWN} of {found}"
    taken = _write(draw, (width - _MARGIN, _MARGIN + 22), found, 17, _QUIET, 300, anchor="rs")
    room = width - 2 * _MARGIN - taken - _GAP
    _write(draw, (_MARGIN, _MARGIN + 22), title, 32, _BRIGHT, room)


def _caption(draw: "Drawing", moment: "Moment", x: int, y: int) -> None:
    """Two lines whose first baseline is at y: the file's name; its span, score and confidence."""
    name = re.split(r"[/\\]", moment.path.rstrip("/\\"))[-1]
    _write(draw, (x, y + 5), name, 18, _BRIGHT, _CELL[0])
    span = f"{clock(moment.start)} - {clock(moment.end)}"
    if moment.then:
        span = f"{clock(moment.start)}, then {clock(moment.then.start)}"
    figures = f"score {moment.score:.1f}  ·  confidence {moment.confidence:.2f}"
    taken = _write(draw, (x + _CELL[0], y + 31), figures, 16, _QUIET, _CELL[0], anchor="rs")
    _write(draw, (x, y + 31), span, 17, _ACCENT, _CELL[0] - taken - 12)


def _card(picture: bytes | None, box: "Box") -> "Picture":
    """A picture fitted into a cell on a blurred copy of itself, lit where its box is."""
    from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

    card = Image.new("RGB", _CELL, _PANEL)
    try:
        frame = Image.open(io.BytesIO(picture or b"")).convert("RGB")
    except (OSError, ValueError):  # no picture, or bytes that are none
        middle = _CELL[0] / 2, _CELL[1] / 2
        _write(ImageDraw.Draw(card), middle, "no picture", 16, _QUIET, _CELL[0], anchor="mm")
        return card
    fitted = ImageOps.contain(frame, _CELL, Image.Resampling.LANCZOS)
    left, top = (_CELL[0] - fitted.width) // 2, (_CELL[1] - fitted.height) // 2
    filled = ImageOps.fit(frame, _CELL).filter(ImageFilter.GaussianBlur(16))
    card.paste(ImageEnhance.Brightness(filled).enhance(0.4))
    card.paste(ImageEnhance.Brightness(fitted).enhance(0.6), (left, top))
    x, y, w, h = box
    near = round(x * fitted.width), round(y * fitted.height)
    far = max(near[0] + 1, round((x + w) * fitted.width)), round((y + h) * fitted.height)
    far = far[0], max(near[1] + 1, far[1])
    card.paste(fitted.crop((*near, *far)), (left + near[0], top + near[1]))
    edges = left + near[0], top + near[1], left + far[0] - 1, top + far[1] - 1
    ImageDraw.Draw(card).rectangle(edges, outline=_ACCENT, width=2)
    return card


@cache
def _rounded() -> "Picture":
    """The shape of a cell, smooth because it is drawn four times as large."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (_CELL[0] * 4, _CELL[1] * 4))
    box = 0, 0, large.width - 1, large.height - 1
    ImageDraw.Draw(large).rounded_rectangle(box, _RADIUS * 4, fill=255)
    return large.resize(_CELL, Image.Resampling.LANCZOS)


def _write(
    draw: "Drawing",
    where: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    room: float,
    anchor: str = "ls",
) -> float:
    """Write one line, shortened in the middle to `room`; returns the width it took."""
    text = "".join(c if c.isprintable() else " " for c in text)
    font = _font(text, size)
    kept = len(text)
    line = text
    while kept and font.getlength(line) > room:
        kept -= 1
        line = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
    draw.text(where, line, fill=colour, font=font, anchor=anchor)
    return font.getlength(line)


def _font(text: str, size: int) -> "Font":
    """Pillow's own font, or the system's that lacks the fewest of the text's characters."""
    from PIL import ImageFont

    own = ImageFont.load_default(size)
    if text.isascii():
        return own
    return min((own, *_system_fonts(size)), key=lambda font: _lacking(font, text))


@cache
def _system_fonts(size: int) -> "list[Font]":
    from PIL import ImageFont

    fonts: list[Font] = []
    for name in _FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:  # not on this computer
            continue
    return fonts


def _lacking(font: "Font", text: str) -> int:
    """How many of the text's characters the font would draw as its sign for a missing one."""
    missing = bytes(font.getmask("\U0010ffff"))
    return sum(bytes(font.getmask(character)) == missing for character in set(text))
