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
"""Views that the inverted lists name at first; thousands may be of one video."""

_GROWTH = 4  # times as many views are asked for where too few videos have them


def is_scanned_whole(index: VectorIndex, line: Timeline) -> bool:
    """Return whether to scan all frames of `line`: up to about a million vectors, or no Faiss."""
    max_vectors = ivf.MAX_SCANNED_VECTORS
    is_small = len(line) * len(index.vectors) <= max_vectors * len(index.frames)
    return index.exact or is_small or not ivf.is_installed()


def choose_candidates(
    index: VectorIndex, line: Timeline, queries: Sequence[NDArray[np.float32]], by: str = "moment"
) -> Timeline:
    """Return the videos of `line` that should hold the results best for all queries together.

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
    max_frames = MAX_CANDIDATE_FRAMES
    nearest = NEAREST_VIEWS
    if by == "video":  # a page of ten needs ten of them
        max_frames *= 2
    if len(queries) > 1:  # the best for two queries together is rarely among the best for either
        max_frames *= 8
        nearest *= 4
    first, counts = line.of_videos
    lengths = np.zeros(len(index.videos), np.int64)
    lengths[line.video[first]] = counts
    total = np.zeros(len(lengths))
    for query in queries:
        total += _rate_videos(index, lists, query, keep, nearest, lengths, max_frames)
    videos = np.argsort(-total, kind="stable")[:max_frames]
    lengths = lengths[videos]
    later = index.owners(np.arange(lists.state.frames, len(index.frames)))
    chosen = np.zeros(len(total), bool)
    chosen[videos[np.cumsum(lengths) - lengths < max_frames]] = True
    chosen[later[later >= 0]] = True
    return line.select(chosen)


def _rate_videos(
    index: VectorIndex,
    lists: ivf.Lists,
    query: NDArray[np.float32],
    keep: NDArray[np.bool_] | None,
    views: int,
    lengths: NDArray[np.int64],
    max_frames: int,
) -> NDArray[np.float32]:
    """Return the best product of each video among the nearest `views`, or the least of these.

    More views are asked for where a few long videos have all of them: until the videos that have
    some are `max_frames` long together, by `lengths` in frames.
    """
    while True:
        frames, products = lists.nearest(query, views, keep)
        owners = index.owners(frames)
        if lengths[np.unique(owners)].sum() >= max_frames or len(frames) < views:
            best = np.full(len(lengths), products.min(initial=0), np.float32)
            np.maximum.at(best, owners, products)
            return best
        views *= _GROWTH


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
