"""The scan: approximate scores of all frames of a timeline, for one query or many.

A few queries are multiplied by 8-bit codes, with a proved bound of the error, and the codes are
read once for all of them. For many, one product of float32 matrices takes less time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from framefind.index.products import (
    encode_query,
    kernel,
    multiply,
    multiply_codes,
    multiply_matrices,
    rounding_error,
)
from framefind.index.scores import Scores
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex
from framefind.processes import cores

MAX_CODED_QUERIES = 11
"""More queries than these are multiplied as float32 matrices."""

_MAX_GAP_FRAMES = 64  # scan through gaps up to this long instead of splitting the scan
_SHARD_FRAMES = 1 << 13  # frames that a thread scans at a time, at most
_MIN_SHARDS = 3  # for each core, so that none waits long for another
_CACHED_FRAMES = 1 << 11  # frames that several queries are multiplied with at a time
_MAX_SCORES = 1 << 24  # scores that are in memory at a time for several queries, 64 MB

Matrix = NDArray[np.float32]


def scan(index: VectorIndex, queries: Matrix, line: Timeline) -> Iterator[Scores]:
    """Yield the scores of the frames of `line`, some or all of the index's, for each query.

    `queries` is float32 (n, d). As many are scored in one pass as `_MAX_SCORES` allows.
    """
    if len(queries) <= MAX_CODED_QUERIES:
        multiply_part = _multiply_codes
        count = max(2, _MAX_SCORES // max(1, len(index.vectors)))
    else:  # which keeps no scores of views
        multiply_part = _multiply_matrices
        count = max(1, _MAX_SCORES // max(1, len(index.frames)))
    for at in range(0, len(queries), count):
        yield from multiply_part(index, queries[at : at + count], line)


def _multiply_codes(index: VectorIndex, queries: Matrix, line: Timeline) -> Iterator[Scores]:
    """Yield scores by 8-bit codes; exact ones where there is no fast kernel for those."""
    is_coded = kernel() is not None
    codes = [encode_query(query) for query in queries]
    coarse = np.concatenate([code.codes[:1] for code in codes])
    weights = np.array([code.weights[0] for code in codes])

    first = index.first_views
    views = np.empty((len(queries), len(index.vectors)), np.float32)  # touched where it is scanned
    best = np.empty((len(queries), len(index.frames)), np.float32)

    def score(start: int, end: int) -> None:
        rows = slice(int(first[start]), int(first[end]))
        if is_coded:
            index.check("codes", rows)
            views[:, rows] = multiply_codes(coarse, weights, index.codes[rows], index.scales[rows])
        else:
            index.check("vectors", rows)
            for row, query in zip(views, queries, strict=True):
                row[rows] = multiply(index.vectors, query, rows)
        for own_best, own_views in zip(best, views[:, rows], strict=True):
            own_best[start:end] = _best_of_frames(own_views, first[start : end + 1] - rows.start)

    _share(score, line, _SHARD_FRAMES if len(queries) == 1 else _CACHED_FRAMES)
    errors, lengths = _video_errors(index, line)
    for query, code, own_views, values in zip(queries, codes, views, best, strict=True):
        norm = np.float32(100 * np.linalg.norm(query))
        slack = is_coded * (errors * norm + lengths * np.float32(100 * code.lost))
        own_codes = code if is_coded else None
        yield Scores(index, query, line, values[line.frame], slack, own_views, own_codes)


def _multiply_matrices(index: VectorIndex, queries: Matrix, line: Timeline) -> Iterator[Scores]:
    """Yield scores by products of float32 matrices, which differ in their last bits only."""
    columns = np.ascontiguousarray(queries.T * np.float32(100))
    first = index.first_views
    best = np.empty((len(queries), len(index.frames)), np.float32)  # touched where it is scanned

    def score(start: int, end: int) -> None:
        rows = slice(int(first[start]), int(first[end]))
        index.check("vectors", rows)
        products = multiply_matrices(index.vectors[rows], columns)
        best[:, start:end] = _best_of_frames(products, first[start : end + 1] - rows.start).T

    _share(score, line, _CACHED_FRAMES)
    _, lengths = _video_errors(index, line)
    for query, values in zip(queries, best, strict=True):
        error = 100 * rounding_error(index.dimensions) * float(np.linalg.norm(query))
        yield Scores(index, query, line, values[line.frame], lengths * np.float32(error))


def _video_errors(index: VectorIndex, line: Timeline) -> tuple[NDArray[np.float32], ...]:
    """Return the largest error and length of the frames of each of the timeline's videos."""
    errors, lengths = index.video_errors
    videos = line.video[line.of_videos[0]]
    return errors[videos], lengths[videos]


def _share(score: Callable[[int, int], None], line: Timeline, size: int) -> None:
    """Call `score` for ranges of at most `size` frames that cover those of `line`, on all cores."""
    size = min(size, -(-len(line) // (_MIN_SHARDS * cores())) or 1)
    shards = [
        (at, min(at + size, end))
        for start, end in _stretches(line.frame)
        for at in range(start, end, size)
    ]
    if len(shards) < 2:
        for shard in shards:
            score(*shard)
    else:
        list(_threads().map(lambda shard: score(*shard), shards))


@cache
def _threads() -> ThreadPoolExecutor:
    """Return a thread for each core: NumPy and SimSIMD release the interpreter's lock."""
    return ThreadPoolExecutor(cores(), "framefind-scan")


def _best_of_frames(scores: Matrix, bounds: NDArray[np.int64]) -> Matrix:
    """Return the best of the scores between each two bounds; of several queries, by columns."""
    views = int(bounds[1])
    if len(scores) == views * (len(bounds) - 1) and (np.diff(bounds) == views).all():
        best = scores[::views].copy()  # `reduceat` takes several times as long
        for view in range(1, views):
            np.maximum(best, scores[view::views], out=best)
        return best
    return np.asarray(np.maximum.reduceat(scores, bounds[:-1]))


def _stretches(frames: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of ordinals that cover `frames`: few and long, without long gaps."""
    if not len(frames):
        return
    breaks = np.flatnonzero(np.diff(frames) != 1)
    starts = frames[np.concatenate([[0], breaks + 1])]
    ends = frames[np.concatenate([breaks, [len(frames) - 1]])] + 1
    order = np.argsort(starts)
    starts, ends = starts[order], ends[order]
    gaps = np.flatnonzero(starts[1:] - ends[:-1] > _MAX_GAP_FRAMES)
    first, last = np.concatenate([[0], gaps + 1]), np.concatenate([gaps, [len(starts) - 1]])
    yield from zip(starts[first].tolist(), ends[last].tolist(), strict=True)
