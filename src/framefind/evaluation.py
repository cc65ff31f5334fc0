"""Retrieval quality: does a library find the videos, and moments, that captions describe?

Captions are JSON lines: `{"video": …, "texts": […], "start": …, "end": …}`, where `video` is a path
(relative to the captions' folder, or absolute), a file name or an id, and the optional `start` and
`end` are the seconds that the texts describe. Every text is a query. A text that stands with
several videos asks for any of them; a copy of a video is that video.
"""

import json
import math
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from framefind.arguments import unicode
from framefind.counts import write_count
from framefind.errors import QueryError
from framefind.files.lines import read_lines
from framefind.search.filters import VideoNames
from framefind.tables.tables import Tables
from framefind.types import LIKELY, Moment, Page, Query, Video, VideoMoments

SearchEach = Callable[[list[Query]], Iterator[Page | QueryError]]
"""`Library.search_each`."""

FIRST = (1, 5, 10)
"""Recall is given at these ranks."""

_PAGE_VIDEOS = 200  # videos per page: the right one rarely comes later
_MIN_GOOD_IOU = 0.5


@dataclass(frozen=True)
class Span:
    """The span of a video that a text describes, in seconds; the whole video without times.

    `line` is where the captions say so.
    """

    path: str
    video_id: str
    start: float | None = None
    end: float | None = None
    line: int = 0

    def iou(self, moment: Moment) -> float | None:
        """Return the intersection over union with a moment's span; None without times."""
        if self.start is None or self.end is None:
            return None
        shared = min(self.end, moment.end) - max(self.start, moment.start)
        return max(0.0, shared) / (max(self.end, moment.end) - min(self.start, moment.start))


@dataclass(frozen=True)
class Answer:
    """What one query gives: the rank of the right video (1 is best), and two moments.

    `wanted` is the best moment of the right video, `found` that of the first video; `iou` compares
    `wanted` with the times in the captions.
    """

    text: str
    rank: int
    wanted: Moment
    found: Moment
    iou: float | None


@dataclass(frozen=True)
class Quality:
    """The result of an evaluation: the answers, and why other captions are `missing` in it."""

    library: str
    model: str
    rank: str
    videos: int
    answers: list[Answer]
    missing: list[str]

    def recall(self, first: int) -> float:
        """Return the share of queries whose right video is among the first `first`."""
        return statistics.fmean(answer.rank <= first for answer in self.answers)

    @property
    def median_rank(self) -> float:
        """Return the median rank of the right video; 1 is the best."""
        return float(statistics.median(answer.rank for answer in self.answers))

    @property
    def ious(self) -> list[float]:
        """Return the IoU of each query with times: its right video's best moment against them."""
        return [answer.iou for answer in self.answers if answer.iou is not None]

    @property
    def likely(self) -> list[bool]:
        """Return whether each first answer that is at least likely is right."""
        return [answer.rank == 1 for answer in self.answers if answer.found.confidence >= LIKELY]

    def worst(self, count: int) -> list[Answer]:
        """Return the answers with the lowest-ranked right videos, worst first."""
        return sorted(self.answers, key=lambda answer: -answer.rank)[:count]

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON document; shares are 0 to 1, times seconds."""
        ious = self.ious
        likely = self.likely
        return {
            "schema": "framefind/quality/v1",
            "library": self.library,
            "model": self.model,
            "rank": self.rank,
            "videos": self.videos,
            "queries": len(self.answers),
            "missing": self.missing,
            "recall": {str(first): self.recall(first) for first in FIRST},
            "median_rank": self.median_rank,
            "moments": {"queries": len(ious), "miou": _mean(ious), "recall_iou_half": _good(ious)},
            "confidence": {"over_half": len(likely), "right": _mean(likely)},
            "answers": [asdict(answer) for answer in self.answers],
        }

    def lines(self, worst: int = 10) -> Iterator[str]:
        """Yield the report for people, line by line."""
        videos = write_count(self.videos, "video")
        yield f"{self.library}: {videos}, {self.model}, ranked by {self.rank}"
        yield write_count(len(self.answers), "query", "queries")
        for first in FIRST:
            chance = min(1.0, first / self.videos)
            yield f"  R@{first:<3} {self.recall(first):7.1%}   (chance {chance:.1%})"
        yield f"  median rank {self.median_rank:g}"
        if ious := self.ious:
            yield f"{len(ious)} with times: mIoU {_mean(ious):.1%}, IoU ≥ 0.5 {_good(ious):.1%}"
        if likely := self.likely:
            answers = write_count(len(likely), "first answer")
            yield f"{answers} of confidence ≥ {LIKELY}: {_mean(likely):.0%} right"
        if self.missing:
            yield f"{write_count(len(self.missing), 'caption')} left out:"
            yield from (f"  {caption}" for caption in self.missing)
        yield "worst:"
        for answer in self.worst(worst):
            right_name = Path(answer.wanted.path).name
            first_name = Path(answer.found.path).name
            yield f"  {answer.rank:4}  {answer.text}  ·  wanted {right_name}, found {first_name}"


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _good(ious: Sequence[float]) -> float | None:
    return _mean([iou >= _MIN_GOOD_IOU for iou in ious])


def evaluate(
    uri: str, search_each: SearchEach, captions: str | Path, rank: str = "softmax"
) -> Quality:
    """Ask a library for every text of a captions file, and see where the right video comes.

    `search_each` is the method of the library at `uri`. Videos are ranked as `search` ranks them
    with `by="video"`. A caption that is malformed, describes no video of the library or cannot be
    searched for is left out. Raises QueryError when the file cannot be read, or all of it is.
    """
    tables = Tables.open(uri)
    rows = sorted((row for row in tables.videos() if row.segments), key=lambda row: row.path)
    queries, missing = read(Path(os.path.expanduser(captions)), rows)
    if not (queries or missing):
        raise QueryError(f"{captions}: it holds no captions")
    video_queries = [Query(text, by="video", rank=rank, limit=_PAGE_VIDEOS) for text in queries]
    answers = []
    for query, page, spans in zip(
        video_queries, search_each(video_queries), queries.values(), strict=True
    ):
        try:
            answers.append(_ask(search_each, query, page, spans))
        except QueryError as error:
            missing.append(f"{captions}, line {spans[0].line}: {error}")
    if not answers:
        raise QueryError(f"none of these captions can be measured in {uri}: {missing[0]}")
    return Quality(uri, tables.fingerprint["model"], rank, len(rows), answers, missing)


def _ask(
    search_each: SearchEach, query: Query, page: Page | QueryError, spans: Sequence[Span]
) -> Answer:
    """Return what a query gives, by its first page. Raises QueryError for one that is refused."""
    right_ids = {span.video_id for span in spans}
    first: VideoMoments | None = None
    for at, video in enumerate(_ranking(search_each, query, page), 1):
        first = first or video
        if video.video_id in right_ids:
            best = video.moments[0]
            ious = [span.iou(best) for span in spans if span.video_id == video.video_id]
            iou = max((iou for iou in ious if iou is not None), default=None)
            return Answer(query.text or "", at, best, first.moments[0], iou)
    raise QueryError(f"{spans[0].path} left the library meanwhile")


def _ranking(
    search_each: SearchEach, query: Query, page: Page | QueryError
) -> Iterator[VideoMoments]:
    """Yield all videos, of which `page` has the first. Raises QueryError for a refused query."""
    while True:
        if isinstance(page, QueryError):
            raise page
        yield from page.videos or ()
        if len(page.videos or ()) < _PAGE_VIDEOS:
            return
        (page,) = search_each([replace(query, offset=page.offset + _PAGE_VIDEOS)])


def read(file: Path, rows: Sequence[Video]) -> tuple[dict[str, list[Span]], list[str]]:
    """Return the spans that each text describes, and why other captions were left out."""
    queries: dict[str, list[Span]] = {}
    missing = []
    names = VideoNames(rows)
    by_id = {row.video_id: row for row in rows}
    for number, line in read_lines(file):
        try:
            name, texts, start, end = _caption(line)
            row = by_id[_find(names, file.parent, name)]
        except QueryError as error:
            missing.append(f"{file}, line {number}: {error}")
            continue
        span = Span(row.path, row.video_id, start, end, number)
        for text in texts:
            queries.setdefault(text, []).append(span)
    return queries, missing


def _caption(line: str) -> tuple[str, list[str], float | None, float | None]:
    try:
        caption = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"not JSON: {error}") from None
    if not isinstance(caption, dict) or not caption.keys() >= {"video", "texts"}:
        raise QueryError('not {"video": …, "texts": […]}')
    name = caption["video"]
    texts = caption["texts"]
    if not isinstance(name, str) or not isinstance(texts, list) or not all(map(_is_text, texts)):
        raise QueryError("video must be a text, and texts a list of texts")
    for text in (name, *texts):
        unicode(text)
    start, end = (caption.get(key) for key in ("start", "end"))
    if start is None and end is None:
        return name, texts, None, None
    try:
        start, end = float(start), float(end)  # type: ignore[arg-type]
        is_span = 0 <= start < end < math.inf
    except (ValueError, TypeError, OverflowError):
        is_span = False
    if not is_span:
        raise QueryError(f"start {start!r} and end {end!r} are no span of time")
    return name, texts, start, end


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _find(names: VideoNames, folder: Path, name: str) -> str:
    """Return the id of the video that a caption names: by a path below its folder, or otherwise."""
    with suppress(QueryError):
        return names.find(str(folder / name))
    return names.find(name)
