"""The timeline: the frames that count, ordered by video and time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_array
from framefind.index.groups import count_members, list_starts


@dataclass(frozen=True)
class Timeline:
    """Frames that count, or some of them, ordered by video and time; arrays of equal length."""

    frame: NDArray[np.int64]  # ordinal in the index
    video: NDArray[np.int64]  # ordinal in `VectorIndex.videos`
    t: NDArray[np.float64]
    until: NDArray[np.float64]  # the time up to which the frame stands
    interval: NDArray[np.float64]  # the sampling interval of its video
    since: NDArray[np.float64]  # the time from which on the frame stands for what is shown
    shot: NDArray[np.int64]  # number of the shot in its video

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def of_videos(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the frames of each video with frames begin, and how many there are."""
        first = list_starts(self.video)
        return first, count_members(first, len(self))

    @classmethod
    def build(
        cls,
        video: NDArray[np.int64],
        t: NDArray[np.float64],
        durations: Sequence[float | None],
        cuts: Sequence[Sequence[float] | None],
    ) -> "Timeline":
        """Return the timeline of all frames of an index; `video` is -1 for dead ones.

        A frame stands from its own time until that of the next one, or until the video's end; where
        shots change between two frames, the one stands until the first cut, and the next from the
        last cut on. Where `cuts` of a video are not known, each frame is a shot of its own.
        """
        frame = np.flatnonzero(video >= 0)
        video = video[frame]
        t = t[frame]
        order = np.lexsort((t, video))
        frame = frame[order]
        video = video[order]
        t = t[order]
        first = list_starts(video)
        counts = count_members(first, len(video))
        last = first + counts - 1
        span = t[last] - t[first]
        interval = np.where(counts > 1, span / np.maximum(1, counts - 1), 1.0)
        until = np.append(t[1:], 0.0)[: len(t)]
        ends = np.array([durations[at] or 0.0 for at in video[first]], np.float64)
        until[last] = np.maximum(ends, t[last])
        unknown = until[last] <= t[last]
        until[last[unknown]] = t[last[unknown]] + interval[unknown]
        since = t.copy()
        shot = np.arange(len(t)) - np.repeat(first, counts)
        for begin, count in zip(first, counts, strict=True):
            video_cuts = cuts[video[begin]]
            if video_cuts is not None:
                part = slice(begin, begin + count)
                shot[part] = _cut(
                    t[part], until[part], since[part], np.array(video_cuts, np.float64)
                )
        return cls(frame, video, t, until, np.repeat(interval, counts), since, shot)

    @classmethod
    def load(cls, folder: Path) -> "Timeline":
        """Map a saved timeline. Raises OSError or ValueError when it is not whole."""
        files = [folder / f"{field.name}.npy" for field in fields(cls)]
        # As arrays, since each slice of a memmap costs more.
        return cls(*(load_array(file, "r") for file in files))

    def save(self, folder: Path) -> None:
        """Save one array per file."""
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))

    def select(
        self,
        videos: NDArray[np.bool_] | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> "Timeline":
        """Return the frames of some videos (a mask over all) that stand between two times, seconds.

        The work grows with what is kept of the videos.
        """
        if videos is None and start is None and end is None:
            return self
        if videos is None or videos.all():
            line = self
        else:
            ordinals = np.flatnonzero(videos)
            first, last = np.searchsorted(self.video, [ordinals, ordinals + 1])
            line = self.take(ranges(first, last - first))
        keep = np.ones(len(line), bool)
        if start is not None:
            keep &= line.until > start
        if end is not None:
            keep &= line.since <= end
        return line if keep.all() else line.take(np.flatnonzero(keep))

    def cut(
        self, video: NDArray[np.int64], t: NDArray[np.float64]
    ) -> tuple["Timeline", NDArray[np.int64]]:
        """Return the frames cut in two at some times of their videos, and of which each is a part.

        A frame that is cut stands in several parts, from one time to the next.
        """
        if not len(self):
            return self, np.empty(0, np.int64)
        places = self.places
        owner = np.searchsorted(places, video + 1j * t, "right") - 1
        inside = (owner >= 0) & (self.video[owner] == video)
        inside &= (self.t[owner] < t) & (t < self.until[owner])
        cuts = np.unique(video[inside] + 1j * t[inside])
        owner = np.searchsorted(places, cuts, "right") - 1
        origin = np.insert(np.arange(len(self)), owner + 1, owner)
        line = self.take(origin)
        starts = np.insert(self.t, owner + 1, cuts.imag)
        is_cut = np.append(origin[1:] == origin[:-1], False)
        until = np.where(is_cut, np.append(starts[1:], 0.0), line.until)
        is_later = np.insert(is_cut[:-1], 0, False)
        since = np.where(is_later, starts, line.since)
        parts = (line.frame, line.video, starts, until, line.interval, since, line.shot)
        return Timeline(*parts), origin

    @cached_property
    def places(self) -> NDArray[np.complex128]:
        """Return numbers that are ordered as the frames are, by video and time."""
        return self.video + 1j * self.t

    def covered(
        self, video: NDArray[np.int64], start: NDArray[np.float64], end: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the frames begin that stand in spans of videos, and how many they are.

        The line has been cut at the ends of the spans.
        """
        first = np.searchsorted(self.places, video + 1j * start, "left")
        return first, np.searchsorted(self.places, video + 1j * end, "left") - first

    def take(self, at: NDArray[np.int64]) -> "Timeline":
        """Return the frames at these positions."""
        return Timeline(*(getattr(self, field.name)[at] for field in fields(self)))


def _cut(
    t: NDArray[np.float64],
    until: NDArray[np.float64],
    since: NDArray[np.float64],
    cuts: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Cut what the frames of one video stand for at its `cuts`; return the shot of each frame."""
    cuts = cuts[(cuts > t[0]) & (cuts < until[-1])]
    shot = np.searchsorted(cuts, t, "right")
    following = np.append(cuts, np.inf)[shot]
    np.minimum(until, following, out=until)
    begins = shot > np.append(0, shot[:-1])
    since[begins] = cuts[shot[begins] - 1]
    return shot


def ranges(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate the integer ranges that begin at `first` and are `counts` long."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - ends + counts, counts)
