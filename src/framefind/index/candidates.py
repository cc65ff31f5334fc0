"""Candidates: the videos of a large index that are likely to hold the best moments of a query."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from framefind.index import ivf
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex

MAX_CANDIDATE_FRAMES = 15_000
"""Frames of the candidates, which are scanned first."""

NEAREST_VIEWS = 8000
"""Views that the inverted lists name; thousands may be of one video."""


def is_scanned_whole(index: VectorIndex, line: Timeline) -> bool:
    """Return whether to scan all frames of `line`: up to about a million vectors, or no Faiss."""
    max_vectors = ivf.MAX_SCANNED_VECTORS
    is_small = len(line) * len(index.vectors) <= max_vectors * len(index.frames)
    return index.exact or is_small or not ivf.is_installed()


def choose_candidates(
    index: VectorIndex, line: Timeline, queries: Sequence[NDArray[np.float32]]
) -> Timeline:
    """Return the videos of `line` that should hold the moments best for all queries together.

    All of them up to about a million vectors, and while there are no inverted lists. The choice
    depends on nothing else, so that all pages of a search are of the same videos.
    """
    if is_scanned_whole(index, line):
        return line
    lists = newest_lists(index)
    if lists is None:
        return line
    # Newer lists may hold frames that this index has not got.
    all_frames = len(line) == len(index.frames) >= lists.state.frames
    keep = None if all_frames else _mask(index, line)
    # The best for two queries together is rarely among the best for either.
    max_frames = MAX_CANDIDATE_FRAMES
    nearest = NEAREST_VIEWS
    if len(queries) > 1:
        max_frames *= 8
        nearest *= 4
    total = np.zeros(len(index.videos))
    for query in queries:
        frames, scores = lists.nearest(query, nearest, keep)
        best = np.full(len(total), scores.min(initial=0), np.float32)
        np.maximum.at(best, index.owners(frames), scores)
        total += best
    videos = np.argsort(-total, kind="stable")[:max_frames]
    counts = np.diff(np.searchsorted(line.video, [videos, videos + 1]), axis=0)[0]
    later = index.owners(np.arange(lists.state.frames, len(index.frames)))
    chosen = np.zeros(len(index.videos), bool)
    chosen[videos[np.cumsum(counts) - counts < max_frames]] = True
    chosen[later[later >= 0]] = True
    return line.select(chosen)


def newest_lists(index: VectorIndex) -> ivf.Lists | None:
    """Return the newest inverted lists; start to build them when there are none."""
    lists = _lists.get(index)
    if lists is None or lists.are_outdated(index):
        newer = ivf.open_lists(index) or lists
        if newer is None and index not in _lists:
            ivf.start(index)
        _lists[index] = lists = newer
    return lists


_lists: "WeakKeyDictionary[VectorIndex, ivf.Lists | None]" = WeakKeyDictionary()
"""The lists of each index that was asked for some; None where there were none yet."""


def _mask(index: VectorIndex, line: Timeline) -> NDArray[np.bool_]:
    """Return a mask of the frames of `line` over all frames of the index; kept for all of them."""
    if line is not index.timeline:
        return _mask_of(index, line)
    mask = _live_frames.get(index)
    if mask is None:
        mask = _live_frames[index] = _mask_of(index, line)
    return mask


_live_frames: "WeakKeyDictionary[VectorIndex, NDArray[np.bool_]]" = WeakKeyDictionary()


def _mask_of(index: VectorIndex, line: Timeline) -> NDArray[np.bool_]:
    mask = np.zeros(len(index.frames), bool)
    mask[line.frame] = True
    return mask
