"""A report as one HTML file: moments with their pictures, words and links. It loads nothing."""

import base64
from collections.abc import Iterator, Sequence
from html import escape

from framefind.counts import write_count
from framefind.output.printable import printable, round_down, write_confidence
from framefind.output.timelines.base import media_url, video_name
from framefind.times import clock
from framefind.types import Match, Moment

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;"
    "color:#1b1e24;background:#fff}ul{display:grid;gap:1.5rem;padding:0;list-style:none;"
    "grid-template-columns:repeat(auto-fill,minmax(17rem,1fr))}"
    "img{width:100%;aspect-ratio:16/9;object-fit:contain;border-radius:.5rem;background:#eceef1}"
    "p{margin:.25rem 0}small{color:#5b6270;overflow-wrap:anywhere}mark{background:#ffe08a}"
    "@media print{li{break-inside:avoid}}"
)


def write(moments: Sequence[Moment], pictures: Sequence[bytes | None], title: str) -> Iterator[str]:
    """Yield the lines of the document; `pictures` are JPEG bytes of the moments' best frames."""
    heading = escape(printable(title))
    yield "<!doctype html>"
    yield f'<html lang="en"><meta charset="utf-8"><title>{heading}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<style>{_STYLE}</style>"
    yield f"<h1>{heading}</h1><p>{write_count(len(moments), 'moment')}</p>"
    yield "<ul>"
    for moment, picture in zip(moments, pictures, strict=True):
        yield f"<li>{_picture(moment, picture)}{_caption(moment)}</li>"
    yield "</ul></html>"


def _picture(moment: Moment, picture: bytes | None) -> str:
    if picture is None:
        return ""
    data = base64.b64encode(picture).decode()
    alt = escape(f"{video_name(moment.path)} at {clock(moment.t)}")
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{data}">'


def _caption(moment: Moment) -> str:
    link = escape(f"{media_url(moment.path)}#t={moment.start:.3f},{moment.end:.3f}")
    span = f"{clock(moment.start)} – {clock(moment.end)}"
    figures = f"score {round_down(moment.score, 1)} · {write_confidence(moment)}"
    words = "".join(f"<p>{_words(match)}</p>" for match in moment.why if match.text)
    return (
        f'<p><a href="{link}"><b>{escape(video_name(moment.path))}</b> {span}</a></p>{words}'
        f"<small>{figures}<br>{escape(printable(moment.path))}</small>"
    )


def _words(match: Match) -> str:
    """Return words with those that match marked."""
    parts = ((escape(printable(part)), is_match) for part, is_match in match.parts())
    return "".join(f"<mark>{part}</mark>" if is_match else part for part, is_match in parts)
