"""A page of results as rows of text, for formats that are tables."""

from collections.abc import Iterator

from framefind.output.printable import escape_field, round_down
from framefind.types import Page

VIDEO_COLUMNS = ("path", "score", "moments", "t")
MOMENT_COLUMNS = ("path", "start", "end", "t", "score", "confidence")
THEN_COLUMNS = ("then_start", "then_end", "then_t")
"""These follow the columns of a moment if the query had a `then`."""


def columns(page: Page) -> tuple[str, ...]:
    """Return the names of the columns."""
    if page.videos is not None:
        return VIDEO_COLUMNS
    return MOMENT_COLUMNS + (THEN_COLUMNS if any(moment.then for moment in page.moments) else ())


def rows(page: Page) -> Iterator[list[str]]:
    """Yield a row for each video, if the page was asked for by video, else for each moment.

    Times are in seconds and exact, so that they name the same frame when they are given back. A
    video's `t` is that of its best moment.
    """
    for video in page.videos or ():
        best = max(video.moments, key=lambda moment: moment.score, default=None)
        t = "" if best is None else _exact(best.t)
        yield [escape_field(video.path), round_down(video.score, 2), str(len(video.moments)), t]
    for moment in page.moments if page.videos is None else ():
        times = [_exact(t) for t in (moment.start, moment.end, moment.t)]
        scores = [round_down(moment.score, 2), round_down(moment.confidence, 3)]
        row = [escape_field(moment.path), *times, *scores]
        if moment.then:
            row += [_exact(t) for t in (moment.then.start, moment.then.end, moment.then.t)]
        yield row


def _exact(t: float) -> str:
    """Return the shortest text that reads back as the same number."""
    return repr(float(t))
