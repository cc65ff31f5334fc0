"""Search: score everything, keep what passes the filters, make a page of moments or videos."""

import fnmatch
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind import models, moments
from framefind.confidence import Neutral, confidence
from framefind.errors import QueryError
from framefind.moments import Moment, Page, Spans, VideoMoments
from framefind.paths import stored
from framefind.tables import Video
from framefind.vectors import IndexedVideo, VectorIndex
from framefind.views import Box

Row = TypeVar("Row", Video, IndexedVideo)


@dataclass(frozen=True)
class Filters:
    """What may be found: videos by glob, folder or id and by modified time, frames by time.

    `start` and `end` are seconds in the video.
    """

    videos: Sequence[str] = ()
    start: float | None = None
    end: float | None = None
    after: datetime | None = None
    before: datetime | None = None
    min_score: float | None = None
    min_confidence: float | None = None

    def mask(self, index: VectorIndex) -> NDArray[np.bool_] | None:
        """Which frames of the timeline may be found; None if all may."""
        line, masks = index.timeline, []
        if self.videos or self.after or self.before:
            kept = np.array([self._keeps(video) for video in index.videos], bool)
            masks.append(kept[line.video])
        if self.start is not None:
            masks.append(line.until > self.start)
        if self.end is not None:
            masks.append(line.t <= self.end)
        return np.logical_and.reduce(masks) if masks else None

    def _keeps(self, video: IndexedVideo) -> bool:
        modified = video.modified or 0.0
        return (
            (not self.videos or matches(video, self.videos))
            and (self.after is None or modified >= self.after.timestamp())
            and (self.before is None or modified < self.before.timestamp())
        )


class Search:
    """One query against one index."""

    def __init__(
        self,
        index: VectorIndex,
        model: models.Model,
        query: NDArray[np.float32],
        filters: Filters,
    ) -> None:
        """Score all frames with `query`, a unit vector, and merge the hits into moments."""
        self._index, self._model, self._query = index, model, query
        self._views, self._scores = index.score(query)
        keep = filters.mask(index)
        self._hits = moments.hits(
            index.timeline, self._scores, keep, model.scale, filters.min_score
        )
        self._spans = moments.merge(index.timeline, self._scores, self._hits)
        if filters.min_confidence is not None:
            sure = self._confidence(self._spans)
            self._spans = self._spans.take(sure >= filters.min_confidence)

    def page(self, limit: int, offset: int, by: str, rank: str) -> Page:
        """A page of moments, or of videos. Raises QueryError for what makes no sense."""
        if limit < 1 or offset < 0:
            raise QueryError("limit must be at least 1 and offset at least 0")
        if by == "video":
            return self._videos(limit, offset, rank)
        if by != "moment":
            raise QueryError(f"by {by!r}: use moment or video")
        order = moments.ranked(self._spans)
        page = self._spans.take(order[offset : offset + limit])
        return Page(self._moments(page), len(order), offset)

    def _videos(self, limit: int, offset: int, rank: str) -> Page:
        try:
            ranked, scores = moments.rank_videos(
                self._index.timeline, self._scores, self._hits, rank, self._model.scale
            )
        except ValueError as error:
            raise QueryError(str(error)) from None
        shown = np.isin(ranked, self._spans.video)
        ranked, scores = ranked[shown], scores[shown]
        videos = []
        for at, score in list(zip(ranked, scores, strict=True))[offset : offset + limit]:
            own = self._spans.take(self._spans.video == at)
            known = self._index.videos[at]
            listed = self._moments(own.take(moments.ranked(own)))
            videos.append(VideoMoments(known.path, known.video_id, float(score), listed))
        flat = [moment for video in videos for moment in video.moments]
        return Page(flat, len(ranked), offset, videos)

    def _best_views(self, spans: Spans) -> NDArray[np.int64]:
        """The row of the best view of each span's best frame."""
        frames = self._index.timeline.frame[spans.best]
        slices = [self._index.rows(int(frame)) for frame in frames]
        best = [rows.start + int(self._views[rows].argmax()) for rows in slices]
        return np.array(best, np.int64)

    def _confidence(self, spans: Spans) -> NDArray[np.float64]:
        views = np.asarray(self._index.vectors[self._best_views(spans)])
        return confidence(spans.score, self._query, views, self._neutral)

    @cached_property
    def _neutral(self) -> Neutral:
        return models.neutral(self._model)

    def _moments(self, spans: Spans) -> list[Moment]:
        sure = self._confidence(spans)
        boxes = self._index.boxes[self._best_views(spans)]
        times = self._index.timeline.t[spans.best]
        return [
            Moment(
                path=self._index.videos[spans.video[at]].path,
                video_id=self._index.videos[spans.video[at]].video_id,
                start=float(spans.start[at]),
                end=float(spans.end[at]),
                t=float(times[at]),
                score=float(spans.score[at]),
                confidence=float(sure[at]),
                box=_box(boxes[at]),
            )
            for at in range(len(spans))
        ]


def _box(row: NDArray[np.float32]) -> Box:
    x, y, width, height = row.tolist()
    return x, y, width, height


def matches(video: Video | IndexedVideo, wanted: Iterable[str]) -> bool:
    """Whether an id, a path, a folder above it, or a glob names the video."""
    return any(
        _names(video, pattern)
        or any(
            path.startswith(os.path.join(_whole(pattern), "")) or fnmatch.fnmatch(name, pattern)
            for path in (video.path, *video.copies)
            for name in (path, os.path.basename(path))
        )
        for pattern in wanted
    )


def one(videos: Sequence[Row], name: str) -> Row:
    """The one video of that path, name or id. Raises QueryError if there is none, or several."""
    found = [video for video in videos if _names(video, name)]
    found = found or [video for video in videos if matches(video, [name])]
    if len(found) != 1:
        many = f"{len(found)} videos" if found else "no video"
        raise QueryError(f"{name}: {many} of that path, name or id in the library")
    return found[0]


def _names(video: Video | IndexedVideo, name: str) -> bool:
    """Whether it is the video's id, its path or its file name, taken literally."""
    paths = (video.path, *video.copies)
    return name == video.video_id or any(
        path == _whole(name) or os.path.basename(path) == name for path in paths
    )


def _whole(path: str) -> str:
    """A path as it is stored: absolute, with links resolved."""
    return stored(os.path.realpath(os.path.expanduser(path)))
