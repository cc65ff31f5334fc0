"""Search: keep what passes the filters, score it, make a page of moments or videos."""

import fnmatch
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind import models, moments
from framefind.confidence import Neutral, confidence
from framefind.errors import QueryError
from framefind.moments import Moment, Page, Spans, Then, VideoMoments
from framefind.paths import stored
from framefind.tables import Video
from framefind.vectors import IndexedVideo, Scores, Timeline, VectorIndex
from framefind.views import Box

EVERY = sys.maxsize
"""A count of moments that leaves none out."""

Row = TypeVar("Row", Video, IndexedVideo)


@dataclass(frozen=True)
class Filters:
    """What may be found: videos by glob, folder or id, modified time and length; frames by time.

    `start` and `end` are seconds in the video, `min_duration` and `max_duration` its length in
    seconds; a video of unknown length has none that is enough.
    """

    videos: Sequence[str] = ()
    start: float | None = None
    end: float | None = None
    after: datetime | None = None
    before: datetime | None = None
    min_score: float | None = None
    min_confidence: float | None = None
    min_duration: float | None = None
    max_duration: float | None = None

    def select(self, index: VectorIndex) -> Timeline:
        """The frames that may be found."""
        kept, asked = None, (self.after, self.before, self.min_duration, self.max_duration)
        if self.videos or any(one is not None for one in asked):
            named = matcher(self.videos)
            kept = np.array(
                [
                    self._dated(video) and self._long(video) and (not self.videos or named(video))
                    for video in index.videos
                ],
                bool,
            )
        return index.timeline.select(kept, self.start, self.end)

    def allow(self, scores: NDArray[np.float32], sure: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of several scores and confidences are enough."""
        least, surest = self.min_score, self.min_confidence
        return (scores >= (-np.inf if least is None else least)) & (
            sure >= (0.0 if surest is None else surest)
        )

    def _dated(self, video: IndexedVideo) -> bool:
        modified = video.modified or 0.0
        return (self.after is None or modified >= self.after.timestamp()) and (
            self.before is None or modified < self.before.timestamp()
        )

    def _long(self, video: IndexedVideo) -> bool:
        if self.min_duration is None and self.max_duration is None:
            return True
        least, most = self.min_duration, self.max_duration
        return video.duration is not None and (
            (0.0 if least is None else least)
            <= video.duration
            <= (np.inf if most is None else most)
        )


class Search:
    """One query against one index."""

    def __init__(
        self,
        index: VectorIndex,
        model: models.Model,
        query: NDArray[np.float32],
        filters: Filters,
        count: int = 10,
        scores: Scores | None = None,
    ) -> None:
        """Score the frames with `query`, a unit vector, and merge the hits into moments.

        `count` is how many moments will be asked for. A large index is searched in the videos that
        should hold them, and whole if there are not as many. `scores` are those of all that the
        filters keep, where they are known.
        """
        self._index, self._model, self._query = index, model, query
        if scores is not None:
            self._score(scores, filters)
            return
        line = filters.select(index)
        self._score(Scores(index, query, index.narrow(line, query, count)), filters)
        if len(self._spans) < count and len(self._line) < len(line):
            self._score(Scores(index, query, line), filters)

    def _score(self, scores: Scores, filters: Filters) -> None:
        line, scale = scores.line, self._model.scale
        self._line, self._scores = line, scores
        self._scores.settle_hits(moments.margin(scale), filters.min_score)
        self._hits = moments.hits(line, self._scores.values, None, scale, filters.min_score)
        if filters.min_confidence is not None:
            self._scores.settle(self._hits)
        self._spans = self._merge(self._hits)
        if filters.min_confidence is not None:
            sure = self._confidence(self._spans)
            self._spans = self._spans.take(sure >= filters.min_confidence)

    def page(self, limit: int, offset: int, by: str, rank: str) -> Page:
        """A page of moments, or of videos. Raises QueryError for what makes no sense."""
        _check(limit, offset)
        if by == "video":
            return self._videos(limit, offset, rank)
        if by != "moment":
            raise QueryError(f"by {by!r}: use moment or video")
        spans = self._best(offset + limit)
        page = spans.take(moments.ranked(spans)[offset : offset + limit])
        return Page(self._moments(page), len(self._spans), offset)

    def sequences(
        self, then: "Search", within: float, limit: int, offset: int, enough: Filters
    ) -> Page:
        """A page of moments that are followed by one of `then` within so many seconds.

        A moment's score is the mean of both, its confidence the lower one; `enough` has the
        `min_score` and `min_confidence` for them. Raises QueryError like `page`.
        """
        _check(limit, offset)
        first, second = self._best(len(self._spans)), then._best(len(then._spans))
        times = self._line.t[first.best], then._line.t[second.best]
        ones, others = moments.followed(first, second, *times, within)
        first, second = first.take(ones), second.take(others)
        pairs = replace(first, score=(first.score + second.score) / np.float32(2))
        sure = np.minimum(self._confidence(first), then._confidence(second))
        order = moments.ranked(pairs)
        kept = order[enough.allow(pairs.score[order], sure[order])]
        page = kept[offset : offset + limit]
        found = zip(self._moments(pairs.take(page)), then._moments(second.take(page)), strict=True)
        shown = [
            replace(
                one,
                confidence=float(sure[at]),
                then=Then(other.start, other.end, other.t, other.score),
            )
            for at, (one, other) in zip(page, found, strict=True)
        ]
        return Page(shown, len(kept), offset)

    def _merge(self, hits: NDArray[np.int64]) -> Spans:
        return moments.merge(self._line, self._scores.values, hits)

    def _best(self, count: int) -> Spans:
        """Moments among which are the best `count` of all, those with their exact scores."""
        scores, spans = self._scores, self._spans
        slack = float(scores.slack[self._hits].max(initial=0))
        if not slack:
            return spans
        # The last of the best `count` by approximate scores is out by `slack` at most, as is one
        # that might take its place, and as is the best hit of either.
        last = np.partition(spans.score, -count)[-count] if count < len(spans) else -np.inf
        scores.settle(self._hits[scores.values[self._hits] >= last - 4 * slack])
        videos = np.unique(spans.video[spans.score >= last - 2 * slack])
        best = self._merge(self._hits[np.isin(self._line.video[self._hits], videos)])
        if count >= len(spans):
            self._spans = best  # asked again, no hit has any slack
        return best

    def _videos(self, limit: int, offset: int, rank: str) -> Page:
        spans = self._best(len(self._spans))  # settles all hits: each has a part in the ranks
        try:
            ranked, scores = moments.rank_videos(
                self._line, self._scores.values, self._hits, rank, self._model.scale
            )
        except ValueError as error:
            raise QueryError(str(error)) from None
        shown = np.isin(ranked, self._spans.video)
        ranked, scores = ranked[shown], scores[shown]
        videos = []
        for at, score in list(zip(ranked, scores, strict=True))[offset : offset + limit]:
            own = spans.take(spans.video == at)
            known = self._index.videos[at]
            listed = self._moments(own.take(moments.ranked(own)))
            videos.append(VideoMoments(known.path, known.video_id, float(score), listed))
        flat = [moment for video in videos for moment in video.moments]
        return Page(flat, len(ranked), offset, videos)

    def _confidence(self, spans: Spans) -> NDArray[np.float64]:
        views = np.asarray(self._index.vectors[self._scores.best_views(spans.best)])
        return confidence(spans.score, self._query, views, self._neutral)

    @cached_property
    def _neutral(self) -> Neutral:
        return models.neutral(self._model)

    def _moments(self, spans: Spans) -> list[Moment]:
        sure = self._confidence(spans)
        boxes = self._index.boxes[self._scores.best_views(spans.best)]
        times = self._line.t[spans.best]
        videos = [self._index.videos[video] for video in spans.video]
        return [
            Moment(
                path=video.path,
                video_id=video.video_id,
                start=float(spans.start[at]),
                end=float(spans.end[at]),
                t=float(times[at]),
                score=float(spans.score[at]),
                confidence=float(sure[at]),
                box=_box(boxes[at]),
            )
            for at, video in enumerate(videos)
        ]


def _check(limit: int, offset: int) -> None:
    if limit < 1 or offset < 0:
        raise QueryError("limit must be at least 1 and offset at least 0")


def _box(row: NDArray[np.float32]) -> Box:
    x, y, width, height = row.tolist()
    return x, y, width, height


def matches(video: Video | IndexedVideo, wanted: Iterable[str]) -> bool:
    """Whether an id, a path, a folder above it, or a glob names the video."""
    return matcher(wanted)(video)


def matcher(wanted: Iterable[str]) -> Callable[[Video | IndexedVideo], bool]:
    """What `matches` does, for many videos: patterns are resolved and compiled once."""
    names = {*wanted}
    wholes = {_whole(name) for name in names}
    folders = tuple(os.path.join(whole, "") for whole in wholes)
    globs = [fnmatch.translate(os.path.normcase(name)) for name in names]
    like = re.compile("|".join(globs) or r"(?!)").match

    def found(video: Video | IndexedVideo) -> bool:
        if video.video_id in names:
            return True
        for path in (video.path, *video.copies):
            name = os.path.basename(path)
            if path in wholes or name in names or path.startswith(folders):
                return True
            if like(os.path.normcase(path)) or like(os.path.normcase(name)):
                return True
        return False

    return found


def one(videos: Iterable[Row], name: str) -> Row:
    """The one video of that path, name or id. Raises QueryError if there is none, or several."""
    whole, named = _whole(name), matcher([name])
    found = [video for video in videos if _names(video, name, whole)]
    found = found or [video for video in videos if named(video)]
    if len(found) != 1:
        many = f"{len(found)} videos" if found else "no video"
        raise QueryError(f"{name}: {many} of that path, name or id in the library")
    return found[0]


def _names(video: Video | IndexedVideo, name: str, whole: str) -> bool:
    """Whether it is the video's id, its path or its file name, taken literally."""
    paths = (video.path, *video.copies)
    return name == video.video_id or any(
        path == whole or os.path.basename(path) == name for path in paths
    )


def _whole(path: str) -> str:
    """A path as it is stored: absolute, with links resolved."""
    return stored(os.path.realpath(os.path.expanduser(path)))
