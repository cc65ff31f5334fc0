"""Cells, colours and lines of text, with which sheets and charts are drawn."""

import io
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Pillow is loaded only when something is drawn
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Drawing
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from framefind.types import Box

    Font = FreeTypeFont | ImageFont

# All lengths are pixels.
CELL = 400, 225
MARGIN = 40
GAP = 28
CAPTION = 58
_RADIUS = 10
JPEG_QUALITY = 92  # of 100
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
GROUND = (16, 18, 22)
PANEL = (28, 31, 38)
BRIGHT = (240, 242, 245)
QUIET = (142, 149, 161)
ACCENT = (255, 196, 61)
# Pillow's own font has little beyond ASCII; those of these that are installed have the rest.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)


def draw_card(picture: bytes | None, box: "Box") -> "Picture":
    """Draw a picture into a cell, over a blurred copy of itself, lit where its box is."""
    from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

    card = Image.new("RGB", CELL, PANEL)
    try:
        frame = Image.open(io.BytesIO(picture or b"")).convert("RGB")
    except (OSError, ValueError):  # no picture, or damaged bytes
        middle = CELL[0] / 2, CELL[1] / 2
        write_text(ImageDraw.Draw(card), middle, "no picture", 16, QUIET, CELL[0], anchor="mm")
        return card
    fitted = ImageOps.contain(frame, CELL, Image.Resampling.LANCZOS)
    left, top = (CELL[0] - fitted.width) // 2, (CELL[1] - fitted.height) // 2
    filled = ImageOps.fit(frame, CELL).filter(ImageFilter.GaussianBlur(16))
    card.paste(ImageEnhance.Brightness(filled).enhance(0.4))
    card.paste(ImageEnhance.Brightness(fitted).enhance(0.6), (left, top))
    x, y, w, h = box
    near = round(x * fitted.width), round(y * fitted.height)
    far = max(near[0] + 1, round((x + w) * fitted.width)), round((y + h) * fitted.height)
    far = far[0], max(near[1] + 1, far[1])
    card.paste(fitted.crop((*near, *far)), (left + near[0], top + near[1]))
    edges = left + near[0], top + near[1], left + far[0] - 1, top + far[1] - 1
    ImageDraw.Draw(card).rectangle(edges, outline=ACCENT, width=2)
    return card


@cache
def cell_mask() -> "Picture":
    """Draw the mask of a cell with round corners, which are smooth by fourfold supersampling."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (CELL[0] * 4, CELL[1] * 4))
    box = 0, 0, large.width - 1, large.height - 1
    ImageDraw.Draw(large).rounded_rectangle(box, _RADIUS * 4, fill=255)
    return large.resize(CELL, Image.Resampling.LANCZOS)


def write_text(
    draw: "Drawing",
    where: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    room: float,
    anchor: str = "ls",
) -> float:
    """Write one line, shortened in the middle to `room`; return the width it took."""
    text = "".join(c if c.isprintable() else " " for c in text)
    font = _font(text, size)
    letters = len(text)
    line = text
    while letters and font.getlength(line) > room:
        letters -= 1
        line = text[: (letters + 1) // 2] + "…" + text[len(text) - letters // 2 :]
    draw.text(where, line, fill=colour, font=font, anchor=anchor)
    return font.getlength(line)


def _font(text: str, size: int) -> "Font":
    """Return Pillow's own font, or the system's that lacks the fewest of the characters."""
    from PIL import ImageFont

    default = ImageFont.load_default(size)
    if text.isascii():
        return default
    return min((default, *_system_fonts(size)), key=lambda font: _count_missing(font, text))


@cache
def _system_fonts(size: int) -> "list[Font]":
    from PIL import ImageFont

    fonts: list[Font] = []
    for name in _FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:  # not installed
            continue
    return fonts


def _count_missing(font: "Font", text: str) -> int:
    """Count the characters that the font draws as its sign for a missing one."""
    missing = bytes(font.getmask("\U0010ffff"))
    return sum(bytes(font.getmask(character)) == missing for character in set(text))
