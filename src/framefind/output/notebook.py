"""What a notebook shows: a library in numbers, moments as pictures."""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import FramefindError
from framefind.files.names import native_path
from framefind.output import drawing
from framefind.times import clock
from framefind.types import Moment

if TYPE_CHECKING:
    from framefind.types import Page, Status

_SHOWN = 24  # moments at most, each of some 20 kB
_ROW = "display:flex;flex-wrap:wrap;gap:16px"
_FIGURE = "margin:0;width:320px;font:13px/1.4 system-ui,sans-serif"
_PICTURE = "width:100%;border-radius:8px;display:block;margin-bottom:4px"


def result(shown: "Moment | Page") -> str:
    """Return the HTML of what a search has found."""
    if isinstance(shown, Moment):
        return moment(shown)
    return moments(shown.moments, shown.total)


def moments(found: "Sequence[Moment]", total: int) -> str:
    """Moments side by side, the first 24, and how many there are in all."""
    figures = "".join(moment(one) for one in found[:_SHOWN])
    words = write_count(total, "moment")
    if total > len(found[:_SHOWN]):
        words += f", {len(found[:_SHOWN])} shown"
    return f'<p>{words}</p><div style="{_ROW}">{figures}</div>'


def moment(one: "Moment") -> str:
    """A moment's best frame with the part that matches lit, and where and when it is.

    The frame is read from the video; without it there are words only.
    """
    name = escape(re.split(r"[/\\]", one.path.rstrip("/\\"))[-1])
    span = f"{clock(one.start)} – {clock(one.end)}"
    if one.then:
        span += f", then {clock(one.then.start)}"
    picture = _picture(one)
    shown = f'<img style="{_PICTURE}" alt="{name} at {clock(one.t)}" src="{picture}">'
    return (
        f'<figure style="{_FIGURE}">{shown if picture else ""}'
        f'<figcaption title="{escape(one.path)}"><b>{name}</b> {span}<br>'
        f"score {one.score:.1f}, confidence {one.confidence:.2f}</figcaption></figure>"
    )


def library(uri: str, status: "Status | None") -> str:
    """A library in numbers; `status` is None while there is nothing in it."""
    if status is None:
        return f"<p><b>{escape(uri)}</b> is not there yet: <code>index</code> creates it</p>"
    videos = ", ".join(f"{count} {kind}" for kind, count in status.videos.items()) or "none"
    facts = {
        "videos": videos,
        "frames": f"{status.frames:,}",
        "hours of video": f"{status.hours:.2f}",
        "on disk": f"{status.size / 1e6:,.1f} MB",
        "model": status.model,
    }
    rows = "".join(
        f"<tr><th>{name}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items()
    )
    return f"<table><caption><b>{escape(uri)}</b></caption>{rows}</table>"


def _picture(one: "Moment") -> str | None:
    """The best frame as a data address, drawn as on a contact sheet; None if it cannot be read."""
    from PIL import Image

    from framefind.video.decode import frame

    try:
        pixels = frame(native_path(one.path), one.t)
    except (FramefindError, OSError):
        return None
    small = Image.fromarray(pixels)
    small.thumbnail((2 * drawing.CELL[0], 2 * drawing.CELL[1]))
    frame_bytes, made = io.BytesIO(), io.BytesIO()
    small.save(frame_bytes, "JPEG", quality=92)
    drawing.card(frame_bytes.getvalue(), one.box).save(made, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(made.getvalue()).decode("ascii")
