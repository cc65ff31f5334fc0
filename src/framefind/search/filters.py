"""Filters: which videos a name or a pattern stands for, and which frames a search may find."""

import os
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

import numpy as np

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
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo
from framefind.types import Query, Video


class VideoNames:
    """The names that videos go by: their ids, and all their paths, those of copies too."""

    def __init__(self, videos: Iterable[Video | IndexedVideo]) -> None:
        """Collect the names of some videos."""
        self._by_id = {video.video_id: [video.path, *video.copies] for video in videos}
        self._paths = sorted(
            (comparison_form(path), path, key)
            for key, paths in self._by_id.items()
            for path in paths
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
        whole = comparison_form(exact)
        name = comparison_form(pattern)
        folder = os.path.join(whole, "")
        named = (
            self._between(name, name + "\0")  # as it is stored, whatever links are now
            or self._between(whole, whole + "\0")
            or self._between(folder, folder[:-1] + chr(ord(folder[-1]) + 1))
            or [entry for entry in self._paths if os.path.basename(entry[0]) == name]
            or self._like(pattern)
        )
        same = [entry for entry in named if entry[1] in (pattern, stored_path(exact))]
        matches: dict[str, list[str]] = {}
        for _, path, video_id in same or named:
            matches.setdefault(video_id, []).append(path)
        return matches

    def match_all(self, patterns: Iterable[str]) -> frozenset[str]:
        """Return the ids of the videos that any of the patterns stands for."""
        return frozenset(video_id for pattern in patterns for video_id in self.match(pattern))

    def find_all(self, patterns: Iterable[str]) -> frozenset[str]:
        """Return the ids of the videos that any of the patterns stands for.

        Raises UsageError, which names the patterns, when none of them has a video.
        """
        names = list(patterns)
        ids = self.match_all(names)
        if not ids:
            raise UsageError(f"{', '.join(names)}: no video of the library matches")
        return ids

    def find(self, name: str) -> str:
        """Return the id of the one video of a name. Raises QueryError for none, or several."""
        ids = list(self.match(name))
        if len(ids) != 1:
            many = write_count(len(ids), "video") if ids else "no video"
            raise QueryError(f"{name}: {many} of that path, name or id in the library")
        return ids[0]

    def _between(self, first: str, last: str) -> list[tuple[str, str, str]]:
        """Return the paths from `first` on, before `last`: comparable, as stored, and video id."""
        start, end = (bisect_left(self._paths, (bound,)) for bound in (first, last))
        return self._paths[start:end]

    def _like(self, pattern: str) -> list[tuple[str, str, str]]:
        like = compile_globs(expand_glob(pattern))
        return [
            entry for entry in self._paths if like(entry[0]) or like(os.path.basename(entry[0]))
        ]


def names_of(index: VectorIndex) -> VideoNames:
    """Return the names of an index's videos, which are collected once."""
    names = _names.get(index)
    if names is None:
        names = _names[index] = VideoNames(index.videos)
    return names


def find_video_id(index: VectorIndex, name: str) -> str:
    """Return the id of the one video of that path, name or id; ids need no scan."""
    name = arguments.text(name, "video")
    return name if index.videos.find(name) is not None else names_of(index).find(name)


_names: "WeakKeyDictionary[VectorIndex, VideoNames]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Filters:
    """Which videos and frames are searched; None lets all pass.

    `videos` are ids. `start` and `end` are seconds in the video, `min_duration` and `max_duration`
    its length in seconds; a video of unknown length never passes those. Equal filters are equal
    keys of a dictionary.
    """

    videos: frozenset[str] | None = None
    start: float | None = None
    end: float | None = None
    after: datetime | None = None
    before: datetime | None = None
    min_duration: float | None = None
    max_duration: float | None = None

    @classmethod
    def of(cls, query: Query, videos: frozenset[str] | None) -> "Filters":
        """Return the filters of a query; `videos` are the ids of those that it names."""
        return cls(
            videos,
            query.start,
            query.end,
            query.after,
            query.before,
            query.min_duration,
            query.max_duration,
        )

    def select(self, index: VectorIndex) -> Timeline:
        """Return the frames of an index that pass."""
        limits = (self.videos, self.after, self.before, self.min_duration, self.max_duration)
        if all(limit is None for limit in limits):
            return index.timeline.select(None, self.start, self.end)
        mask = np.array([self.accept(video) for video in index.videos], bool)
        return index.timeline.select(mask, self.start, self.end)

    def accept(self, video: Video | IndexedVideo) -> bool:
        """Return whether a video passes by its id, its modified time and its length."""
        if self.videos is not None and video.video_id not in self.videos:
            return False
        return self._accept_date(video) and self._accept_duration(video.duration)

    def _accept_date(self, video: Video | IndexedVideo) -> bool:
        modified = video.modified or 0.0
        if isinstance(modified, datetime):
            modified = modified.timestamp()
        return (self.after is None or modified >= self.after.timestamp()) and (
            self.before is None or modified < self.before.timestamp()
        )

    def _accept_duration(self, duration: float | None) -> bool:
        if self.min_duration is None and self.max_duration is None:
            return True
        return (
            duration is not None
            and (self.min_duration is None or duration >= self.min_duration)
            and (self.max_duration is None or duration <= self.max_duration)
        )
