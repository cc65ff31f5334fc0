"""Moments one after another on a timeline, counted in frames: what editors' formats write."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor

from framefind.types import Moment
from framefind.video.frame_grid import FrameGrid
from framefind.video.timecode import choose_edit_rate


@dataclass(frozen=True)
class Clip:
    """A moment as frames of its video, from `start` until before `end`.

    On the timeline it begins at frame `at` and lasts `length` frames of the timeline.
    """

    moment: Moment
    grid: FrameGrid
    start: int
    end: int
    at: int
    length: int

    @property
    def timecode(self) -> int:
        """Return the number of the first frame as the file's own timecode counts."""
        return self.grid.timecode + self.start


@dataclass(frozen=True)
class Timeline:
    """Clips without gaps; `rate`, frames per second, is one that editors have."""

    title: str
    rate: Fraction
    drop: bool
    clips: tuple[Clip, ...]

    @cached_property
    def length(self) -> int:
        """Return how many frames it lasts."""
        return sum(clip.length for clip in self.clips)

    @cached_property
    def sources(self) -> dict[str, FrameGrid]:
        """Return the videos by path, in the order in which they come."""
        return {clip.moment.path: clip.grid for clip in self.clips}

    def convert(self, frame: int, grid: FrameGrid) -> int:
        """Return the frame of the timeline's rate in which a frame of a video begins."""
        return floor(frame / grid.rate * self.rate)

    @property
    def largest(self) -> FrameGrid:
        """Return the video with the most pixels, whose size the timeline has."""
        grids = self.sources.values()
        return max(grids, key=lambda grid: grid.width * grid.height, default=FrameGrid(self.rate))


def build_timeline(title: str, moments: Sequence[Moment], grids: dict[str, FrameGrid]) -> Timeline:
    """Lay out moments in their order; `grids` are those of the videos by path.

    The timeline has the rate of most moments, of two the one that comes first, or what editors
    have for that; and drop-frame timecode if one of those videos has.
    """
    rates = Counter(grids[moment.path].rate for moment in moments)
    most = max(rates, key=lambda rate: rates[rate], default=Fraction(25))
    rate = choose_edit_rate(most)
    drop = any(grid.drop for grid in grids.values() if grid.rate == most)
    clips: list[Clip] = []
    at = 0
    for moment in moments:
        grid = grids[moment.path]
        start, end = grid.span(moment.start, moment.end)
        length = max(1, round((end - start) / grid.rate * rate))
        clips.append(Clip(moment, grid, start, end, at, length))
        at += length
    return Timeline(title, rate, drop, tuple(clips))


def describe_rounding(timeline: Timeline) -> list[str]:
    """Return what of a timeline is not exact to the frame, a sentence for each video."""
    notes = []
    for path, grid in timeline.sources.items():
        if not grid.is_even:
            notes.append(
                f"{path}: its frames come unevenly for editors; cuts lie on a grid of "
                f"{float(grid.rate):.6g} frames/s, less than one frame of it outside the moment"
            )
        if (timeline.rate / grid.rate).denominator != 1:
            notes.append(
                f"{path}: it has {float(grid.rate):.6g} frames/s, the timeline "
                f"{float(timeline.rate):.6g}; its cuts are rounded to the timeline's frames"
            )
    return notes
