"""HTML for notebooks: a library in numbers, moments as pictures."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import FramefindError
from framefind.files.names import native_path
from framefind.output import drawing
from framefind.output.printable import round_down, write_confidence
from framefind.output.timelines.base import video_name
from framefind.times import clock
from framefind.types import Match, Moment

if TYPE_CHECKING:
    from framefind.reports import Status
    from framefind.types import Page

_MAX_MOMENTS = 24  # that are shown, each of about 20 kB
_JPEG_QUALITY = 85  # of 100; a notebook stores every picture
_ROW = "display:flex;flex-wrap:wrap;gap:16px"
_FIGURE = "margin:0;width:320px;font:13px/1.4 system-ui,sans-serif"
_PICTURE = "width:100%;border-radius:8px;display:block;margin-bottom:4px"


def render_result(result: "Moment | Page") -> str:
    """Return the HTML of a result of a search."""
    if isinstance(result, Moment):
        return render_moment(result)
    return render_moments(result.moments, result.total)


def render_moments(moments: "Sequence[Moment]", total: int) -> str:
    """Return the HTML of the first 24 moments side by side, and the total in words."""
    first_moments = moments[:_MAX_MOMENTS]
    figures = "".join(render_moment(moment) for moment in first_moments)
    words = write_count(total, "moment")
    if total > len(first_moments):
        words += f", {len(first_moments)} shown"
    return f'<p>{words}</p><div style="{_ROW}">{figures}</div>'


def render_moment(moment: Moment) -> str:
    """Return the HTML of a moment: its best frame with the box lit, its video and its span.

    The frame is read from the video; where that fails, there is text only.
    """
    name = escape(video_name(moment.path))
    span = f"{clock(moment.start)} – {clock(moment.end)}"
    if moment.then:
        span += f", then {clock(moment.then.start)}"
    url = _picture_url(moment)
    image = f'<img style="{_PICTURE}" alt="{name} at {clock(moment.t)}" src="{url}">'
    return (
        f'<figure style="{_FIGURE}">{image if url else ""}'
        f'<figcaption title="{escape(moment.path)}"><b>{name}</b> {span}<br>'
        f"score {round_down(moment.score, 1)}, {write_confidence(moment)}"
        f"{''.join(map(_render_match, moment.why))}</figcaption></figure>"
    )


def _render_match(match: Match) -> str:
    """Return the HTML of words that match; nothing for pictures."""
    if not match.text:
        return ""
    words = "".join(
        f"<mark>{escape(part)}</mark>" if is_match else escape(part)
        for part, is_match in match.parts()
    )
    return f"<br>{escape(match.kind)}: <q>{words}</q>"


def render_library(uri: str, status: "Status | None") -> str:
    """Return the HTML of a library in numbers; `status` is None while it does not exist."""
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


def _picture_url(moment: Moment) -> str | None:
    """Return the best frame as a data URL, drawn as on a contact sheet; None if unreadable."""
    from PIL import Image

    from framefind.video.shown import frame

    try:
        pixels = frame(native_path(moment.path), moment.t)
    except (FramefindError, OSError):
        return None
    small = Image.fromarray(pixels)
    small.thumbnail((2 * drawing.CELL[0], 2 * drawing.CELL[1]))
    frame_file = io.BytesIO()
    small.save(frame_file, "JPEG", quality=drawing.JPEG_QUALITY)
    card_file = io.BytesIO()
    card = drawing.draw_card(frame_file.getvalue(), moment.box)
    card.save(card_file, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(card_file.getvalue()).decode("ascii")
