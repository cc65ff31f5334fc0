"""Scores of frames: approximate for all of them, and exact where a decision needs it.

A frame whose bounds lie on one side of a cut needs no better score. The others get finer ones,
first with the second code of the query, then from the float32 vectors. So the answers are those of
the float32 product, and nobody outside this folder has to know of an error.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from framefind.index.groups import count_members, list_starts
from framefind.index.products import QueryCodes, multiply, multiply_codes
from framefind.index.timeline import Timeline, ranges
from framefind.index.vectors import VectorIndex

_ROUNDING = 1e-4  # of scores that something large was added to, float32
_REFINED_ROWS = 1 << 10  # vectors whose codes are multiplied at a time

Positions = NDArray[np.int64]
"""Of frames in a timeline; ordinals of its videos."""


class Scores:
    """The scores (cosine × 100) of the frames of a timeline for one query.

    `approximate`, float32 (frames,), never change; a frame's score is its best view's. `values`
    begin as those and become exact where they are settled; each is within `slack` of the float32
    product. Videos are ordinals of `line.of_videos`.
    """

    def __init__(
        self,
        index: VectorIndex,
        query: NDArray[np.float32],
        line: Timeline,
        approximate: NDArray[np.float32],
        video_slack: NDArray[np.float32],
        views: NDArray[np.float32] | None = None,
        codes: QueryCodes | None = None,
    ) -> None:
        """Keep what a scan has computed.

        `video_slack` (videos,) is the largest error of each video's frames. `views` (views of the
        index,) are the scores of the views of these frames, if they are kept. With `codes` of the
        query they are products of codes, else nearly float32 products.
        """
        self.index = index
        self.query = query
        self.line = line
        self.approximate = approximate
        self.video_slack = video_slack
        self._views = views
        self._codes = codes
        self._norm = 100 * float(np.linalg.norm(query))
        self._gain: NDArray[np.float32] | None = None

    def raised(self, line: Timeline, origin: Positions, gain: NDArray[np.float32]) -> "Scores":
        """Return scores of a line that was cut from this one, each with a `gain` added to it.

        `origin` are the positions in this line that the frames come from. They are settled without
        the second code, since several of them may be parts of one frame.
        """
        approximate = self.approximate[origin] + gain
        slack = np.where(self.video_slack > 0, self.video_slack + _ROUNDING, 0).astype(np.float32)
        raised = Scores(self.index, self.query, line, approximate, slack, self._views, None)
        raised._gain = gain
        return raised

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """Return the best scores so far: float32 (frames,)."""
        return self.approximate.copy()

    @cached_property
    def slack(self) -> NDArray[np.float32]:
        """Return how far each of `values` may be from the float32 product: float32 (frames,)."""
        return np.repeat(self.video_slack, self.line.of_videos[1])

    @cached_property
    def best(self) -> NDArray[np.float32]:
        """Return the best approximate score of each video: float32 (videos,)."""
        if not len(self.line):
            return np.empty(0, np.float32)
        return np.maximum.reduceat(self.approximate, self.line.of_videos[0])

    def frames_of(self, videos: Positions) -> tuple[Positions, Positions]:
        """Return the positions of the frames of some videos, and where each video's begin."""
        first, counts = self.line.of_videos
        counts = counts[videos]
        return ranges(first[videos], counts), np.cumsum(counts) - counts

    def top(
        self, videos: Positions, count: int | None = None
    ) -> tuple[Positions, NDArray[np.float32]]:
        """Return those of the videos that have the `count` best frames, and these exact scores."""
        at, first = self.frames_of(videos)
        owners, _, score = self.peaks(at, first, count)
        return videos[owners], score

    def hits(self, videos: Positions, cut: NDArray[np.float64]) -> Positions:
        """Return the positions of the hits: frames of `videos` whose exact score reaches `cut`.

        `cut` (videos,) is one score for each video.
        """
        return self.near_hits(videos, cut, cut)[0]

    def near_hits(
        self,
        videos: Positions,
        near: NDArray[np.float64],
        cut: NDArray[np.float64],
        count: int | None = None,
        find_runs: Callable[[Positions], Positions] | None = None,
    ) -> tuple[Positions, NDArray[np.bool_]]:
        """Return the positions of frames whose exact score reaches `near`, and which reach `cut`.

        Both are one score for each of the `videos`: float64 (videos,). With `count`, only of those
        runs of frames that may hold the best `count` moments: `find_runs` returns where runs begin
        among some positions, and a moment is a run or a part of one, with a frame that reaches
        `cut`.
        """
        at, first = self.frames_of(videos)
        counts = count_members(first, len(at))
        near = np.repeat(near, counts)
        cut = np.repeat(cut, counts)
        for settle in (self.refine, self._settle):
            is_kept = self.values[at] + self.slack[at] >= near
            at = at[is_kept]
            near = near[is_kept]
            cut = cut[is_kept]
            if count is not None and find_runs is not None:
                is_kept = self._best_runs(at, cut, find_runs(at), count)
                at = at[is_kept]
                near = near[is_kept]
                cut = cut[is_kept]
            for bound in (near, cut):
                settle(at[np.abs(self.values[at] - bound) <= self.slack[at]])
        is_kept = self.values[at] >= near
        return at[is_kept], self.values[at[is_kept]] >= cut[is_kept]

    def _best_runs(
        self, at: Positions, cut: NDArray[np.float64], first: Positions, count: int
    ) -> NDArray[np.bool_]:
        """Return which frames are of runs that may hold the best `count` certain hits.

        The likely best frames of these runs are scored exactly.
        """
        is_kept = np.ones(len(at), bool)
        if count >= len(first):
            return is_kept
        for is_last in (False, True):
            low = self.values[at] - self.slack[at]
            certain = np.maximum.reduceat(np.where(low >= cut, low, -np.inf), first)
            _, high = self.bound_peaks(at, first)
            runs = high >= np.partition(certain, -count)[-count]
            is_kept = np.repeat(runs, count_members(first, len(at)))
            if not is_last:
                self._settle(at[is_kept & self._tops(at, first)])
        return is_kept

    def peaks(
        self, at: Positions, first: Positions, count: int | None = None
    ) -> tuple[Positions, Positions, NDArray[np.float32]]:
        """Return the best frame of each group of frames, the earliest of equals, and its score.

        Groups begin at `first` in `at`. With `count`, only of those groups that may have the
        `count` best ones; the first array returned holds their ordinals.
        """
        groups = np.arange(len(first))
        if not len(groups):
            return groups, groups, np.empty(0, np.float32)
        for settle in (self.refine, self._settle):
            at, first, groups = self._leaders(at, first, groups, count)
            self._settle(at[self._tops(at, first)])  # first: rivals of exact scores are few
            at, first, groups = self._leaders(at, first, groups, count)
            settle(at)
        at, first, groups = self._leaders(at, first, groups, count)
        return groups, at[first], self.values[at[first]]

    def _leaders(
        self, at: Positions, first: Positions, groups: Positions, count: int | None
    ) -> tuple[Positions, Positions, Positions]:
        """Return the frames that may be the best of their group, by group, and where those begin.

        With `count`, only those of the groups that may have the `count` best ones. `groups` are
        their ordinals, of which the third array returned has those that are left.
        """
        values = self.values[at]
        slack = self.slack[at]
        high = values + slack
        counts = count_members(first, len(at))
        low = np.maximum.reduceat(values - slack, first)
        is_kept = high >= np.repeat(low, counts)
        if count is not None and count < len(first):
            is_best = np.maximum.reduceat(high, first) >= np.partition(low, -count)[-count]
            is_kept &= np.repeat(is_best, counts)
            groups = groups[is_best]
        at = at[is_kept]
        owner = np.repeat(np.arange(len(first)), counts)[is_kept]
        return at, list_starts(owner), groups

    def _tops(self, at: Positions, first: Positions) -> NDArray[np.bool_]:
        """Return which frames have the best score so far of their group."""
        best = np.maximum.reduceat(self.values[at], first)
        return np.asarray(self.values[at] == np.repeat(best, count_members(first, len(at))))

    def bound_peaks(
        self, at: Positions, first: Positions
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return bounds of the best score of each group of frames; groups begin at `first`."""
        if not len(first):
            return np.empty(0, np.float32), np.empty(0, np.float32)
        low = np.maximum.reduceat(self.values[at] - self.slack[at], first)
        return low, np.maximum.reduceat(self.values[at] + self.slack[at], first)

    def exact(self, at: Positions) -> NDArray[np.float32]:
        """Return the exact scores of the frames at these positions."""
        self._settle(at)
        return self.values[at]

    def gains(self, at: Positions) -> NDArray[np.float32]:
        """Return what was added to the scores of the frames at these positions."""
        return np.zeros(len(at), np.float32) if self._gain is None else self._gain[at]

    def best_views(self, at: Positions) -> Positions:
        """Return the row of the best view of the frames at these positions, by exact scores."""
        rows, owner = self.index.rows_of(self.line.frame[at])
        scores = self._multiply(rows)
        winners = np.flatnonzero(scores == _best(scores, owner)[owner])
        return np.asarray(rows[winners[np.unique(owner[winners], return_index=True)[1]]])

    def _settle(self, at: Positions) -> None:
        """Score the frames at these positions exactly."""
        at = at[self.slack[at] > 0]
        if not len(at):
            return
        rows, owner = self._candidate_views(at)
        self.values[at] = _best(self._multiply(rows), owner) + self.gains(at)
        self.slack[at] = 0

    def refine(self, at: Positions) -> None:
        """Score the frames at these positions with both codes, which about halves their errors."""
        if self._codes is None or self._views is None:
            return
        fine = np.asarray(self.index.frames["error"][self.line.frame[at]] * self._norm, np.float32)
        is_coarse = self.slack[at] > fine
        at = at[is_coarse]
        if not len(at):
            return
        rows, owner = self._candidate_views(at)
        for start in range(0, len(rows), _REFINED_ROWS):
            part = rows[start : start + _REFINED_ROWS]
            self.index.check("codes", part)
            self._views[part] += multiply_codes(
                self._codes.codes[1:],
                self._codes.weights[1:],
                self.index.codes[part],
                self.index.scales[part],
            )[0]
        self.values[at] = _best(self._views[rows], owner)
        self.slack[at] = fine[is_coarse]

    def _candidate_views(self, at: Positions) -> tuple[Positions, Positions]:
        """Return the rows of the views that may be the best of the frames at these positions.

        And for each row the ordinal of its frame in `at`.
        """
        rows, owner = self.index.rows_of(self.line.frame[at])
        if self._views is None:
            return rows, owner
        visual = self.values[at] - self.gains(at)
        near = self._views[rows] >= (visual - 2 * self.slack[at])[owner]
        return rows[near], owner[near]

    def _multiply(self, rows: Positions) -> NDArray[np.float32]:
        self.index.check("vectors", rows)
        return multiply(self.index.vectors, self.query, rows)


def _best(scores: NDArray[np.float32], owner: Positions) -> NDArray[np.float32]:
    """Return the best score of each owner; owners come in order."""
    if not len(owner):
        return scores
    return np.maximum.reduceat(scores, list_starts(owner))
