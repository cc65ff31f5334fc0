"""Filters: which videos a name or a pattern stands for, and what a search may find."""

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from framefind import arguments
from framefind.counts import write_count
from framefind.errors import QueryError, UsageError
from framefind.files.names import (
    comparison_form,
    compile_globs,
    expand_glob,
    resolve_if_path,
    stored_path,
)
from framefind.index.timeline import Timeline
from framefind.index.vectors import IndexedVideo, VectorIndex
from framefind.types import Query, Video


class VideoNames:
    """The names that videos go by: their ids, and all their paths, those of copies too."""

    def __init__(self, videos: Iterable[Video | IndexedVideo]) -> None:
        """Collect the names of some videos."""
        self._by_id = {video.video_id: [video.path, *video.copies] for video in videos}
        self._paths = sorted(
            (comparison_form(path), path, key) for key, own in self._by_id.items() for path in own
        )

    def match(self, pattern: str) -> dict[str, list[str]]:
        """Return the videos that a pattern stands for: the paths it names, by `video_id`.

        A pattern is read as the first of these that names anything: an id, which stands for all
        paths of the video; a path; a folder; the name of a file in any folder; a glob, of paths or
        of names of files. So what is the name of a video is never taken for a glob. Raises
        UsageError for a pattern of nothing but white space.
        """
        if not pattern.strip():
            raise UsageError("an empty name stands for no video: give a path, a folder or an id")
        if pattern in self._by_id:
            return {pattern: self._by_id[pattern]}
        exact = resolve_if_path(pattern)
        whole, name = comparison_form(exact), comparison_form(pattern)
        folder = os.path.join(whole, "")
        found = (
            self._between(name, name + "\0")  # as it is stored, whatever links are now
            or self._between(whole, whole + "\0")
            or self._between(folder, folder[:-1] + chr(ord(folder[-1]) + 1))
            or [known for known in self._paths if os.path.basename(known[0]) == name]
            or self._like(pattern)
        )
        same = [known for known in found if known[1] in (pattern, stored_path(exact))]
        matched: dict[str, list[str]] = {}
        for _, path, video_id in same or found:
            matched.setdefault(video_id, []).append(path)
        return matched

    def matching(self, patterns: Iterable[str]) -> set[str]:
        """Return the ids of the videos that any of the patterns stands for."""
        return {video_id for pattern in patterns for video_id in self.match(pattern)}

    def check(self, patterns: Iterable[str]) -> None:
        """Raise UsageError, which names the patterns, when there are some and none has a video."""
        asked = list(patterns)
        if asked and not self.matching(asked):
            raise UsageError(f"{', '.join(asked)}: no video of the library matches")

    def find(self, name: str) -> str:
        """Return the id of the one video of a name. Raises QueryError for none, or several."""
        found = list(self.match(name))
        if len(found) != 1:
            many = write_count(len(found), "video") if found else "no video"
            raise QueryError(f"{name}: {many} of that path, name or id in the library")
        return found[0]

    def _between(self, first: str, last: str) -> list[tuple[str, str, str]]:
        """The paths from `first` on, before `last`: comparable, as stored, and whose they are."""
        start, end = (bisect_left(self._paths, (bound,)) for bound in (first, last))
        return self._paths[start:end]

    def _like(self, pattern: str) -> list[tuple[str, str, str]]:
        like = compile_globs(expand_glob(pattern))
        return [
            known for known in self._paths if like(known[0]) or like(os.path.basename(known[0]))
        ]


def names_of(index: VectorIndex) -> VideoNames:
    """Return the names of an index's videos, which are collected once."""
    found = _names.get(index)
    if found is None:
        found = _names[index] = VideoNames(index.videos)
    return found


_names: "WeakKeyDictionary[VectorIndex, VideoNames]" = WeakKeyDictionary()


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

    @classmethod
    def of(cls, query: Query) -> "Filters":
        """Return the filters of a query."""
        return cls(
            tuple(arguments.texts(query.video, "video")),
            query.start,
            query.end,
            query.after,
            query.before,
            query.min_score,
            query.min_confidence,
            query.min_duration,
            query.max_duration,
        )

    def select(self, index: VectorIndex) -> Timeline:
        """The frames that may be found."""
        kept, asked = None, (self.after, self.before, self.min_duration, self.max_duration)
        if self.videos or any(one is not None for one in asked):
            named = names_of(index).matching(self.videos) if self.videos else None
            kept = np.array(
                [
                    self.accept(video) and (named is None or video.video_id in named)
                    for video in index.videos
                ],
                bool,
            )
        return index.timeline.select(kept, self.start, self.end)

    def accept(self, video: Video | IndexedVideo) -> bool:
        """Return whether a video passes by its modified time and its length."""
        return self._dated(video) and self._long(video)

    def allow(self, scores: NDArray[np.float32], sure: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of several scores and confidences are enough."""
        least, surest = self.min_score, self.min_confidence
        return (scores >= (-np.inf if least is None else least)) & (
            sure >= (0.0 if surest is None else surest)
        )

    def _dated(self, video: Video | IndexedVideo) -> bool:
        modified = video.modified or 0.0
        if isinstance(modified, datetime):
            modified = modified.timestamp()
        return (self.after is None or modified >= self.after.timestamp()) and (
            self.before is None or modified < self.before.timestamp()
        )

    def _long(self, video: Video | IndexedVideo) -> bool:
        if self.min_duration is None and self.max_duration is None:
            return True
        least, most = self.min_duration, self.max_duration
        return video.duration is not None and (
            (0.0 if least is None else least)
            <= video.duration
            <= (np.inf if most is None else most)
        )
