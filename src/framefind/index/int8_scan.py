"""The scan: score all frames by 8-bit codes, and exactly only those of the videos on a page.

A vector v is kept as codes c, whole numbers from -127 to 127, and a scale s, so that v = s·c + e;
a query likewise. The product of codes is a whole number, which every machine computes exactly, and
by Cauchy and Schwarz |e·q| ≤ |e|·|q| bounds how far it is from the float32 product. So `scan` gives
bounds of each video's best score, which tell the few videos that a page may show. `Scores` scores
the frames of those: a frame whose bounds lie on one side of a cut needs no better score; the others
get finer ones, first with the residual of the query's codes, coded in turn, then from the float32
vectors. The answers are those of the float32 product, at a quarter of its memory traffic.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.index.timeline import Timeline, ranges
from framefind.processes import cores

if TYPE_CHECKING:
    from framefind.index.vectors import VectorIndex

_GAP = 64  # scan through gaps of up to this many frames instead of splitting the scan
_BLOCK = 1 << 12  # vectors that are scored exactly at a time
_FRAMES = 1 << 11  # frames whose views are multiplied with several queries at a time
_SHARD = 1 << 13  # frames that a thread scans at a time
_PRODUCT = 1 << 24  # scores that a product for several queries has at most, 64 MB

Kernel = Callable[..., Any]


def encode(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Codes (n, d), scales, lengths and errors (n,) of float32 vectors (n, d).

    A length is that of scale × codes. An error bounds how far their product with any unit query
    in both its codes is from the float32 product.
    """
    d = vectors.shape[1]
    scales = np.maximum(np.abs(vectors).max(axis=1), np.float32(1e-30)) / np.float32(127)
    codes = np.rint(vectors / scales[:, None])
    lost = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
    lengths = np.linalg.norm(vectors, axis=1) + lost
    query = np.sqrt(d) / (127 * 254 * 2)  # of a unit query, what its two codes lose
    rounding = (2 * d + 64) * 2.0**-24  # of either product in float32 (Higham 2002, 3.1)
    errors = lost + lengths * (query + rounding)
    return codes.astype(np.int8), scales, lengths.astype("f4"), errors.astype("f4")


@cache
def kernel() -> Kernel | None:
    """SimSIMD's products of 8-bit integers; None where they are not fast or not installed."""
    try:
        import simsimd
    except ImportError:
        return None
    fast = {"neon", "neon_i8", "sve_i8", "haswell", "ice", "sierra"}
    able = {name for name, able in simsimd.get_capabilities().items() if able}
    return simsimd.cdist if able & fast else None


@dataclass(frozen=True)
class Scan:
    """Approximate scores (cosine × 100) of the frames of a timeline for one query.

    `values` is float32 (frames,), a frame's score being its best view's. `slack`, float32
    (videos,), bounds how far those of each of `line.of_videos` are from the float32 product.
    """

    index: "VectorIndex"
    query: NDArray[np.float32]
    line: Timeline
    values: NDArray[np.float32]
    slack: NDArray[np.float32]
    views: NDArray[np.float32]
    """The scores of the views of these frames: (views,) in the order of the index."""
    coded: bool
    """Whether they are of 8-bit codes; else they are as good as float32 products are."""

    @cached_property
    def best(self) -> NDArray[np.float32]:
        """The best value of each video: float32 (videos,)."""
        if not len(self.line):
            return self.slack
        return np.maximum.reduceat(self.values, self.line.of_videos[0])

    def scores(self, chosen: NDArray[np.bool_]) -> "Scores":
        """Return the scores of the frames of the chosen videos, a mask over `line.of_videos`."""
        first, counts = self.line.of_videos
        at = ranges(first[chosen], counts[chosen])
        line = self.line.take(at)
        rows = ranges(*self.index.views(line.frame))
        views = np.empty_like(self.views)  # a copy, which `Scores` improves; touched where copied
        views[rows] = self.views[rows]
        values, slack = self.values[at], self.slack[chosen]
        return Scores(Scan(self.index, self.query, line, values, slack, views, self.coded))


def scan(index: "VectorIndex", query: NDArray[np.float32], line: Timeline) -> Scan:
    """Score the frames of `line`, some or all of the index's, with a query, float32 (d,)."""
    views = np.empty(len(index.vectors), np.float32)  # touched where it is scanned
    best = np.empty(len(index.frames), np.float32)
    codes, weights, lost = _encode_query(query)
    inexact = kernel() is not None

    def score(rows: slice) -> None:
        if inexact:
            _products_of_codes(index, codes[:1], weights[0], rows, views[rows])
        else:
            views[rows] = _exact(index, query, rows)

    _by_shards(index, line, score, views, best)
    errors, lengths = index.video_errors
    slack = errors * np.float32(100 * np.linalg.norm(query)) + lengths * np.float32(100 * lost)
    slack *= inexact
    own = slack[line.video[line.of_videos[0]]]
    return Scan(index, query, line, best[line.frame], own, views, inexact)


def _by_shards(
    index: "VectorIndex",
    line: Timeline,
    score: Callable[[slice], None],
    views: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    """Have `score` fill in `views` for the frames of `line` on all cores, and each frame's best."""
    first = index.first_views

    def run(shard: tuple[int, int]) -> None:
        start, end = shard
        rows = slice(int(first[start]), int(first[end]))
        score(rows)
        best[start:end] = _best_of_frames(views[rows], first[start : end + 1] - rows.start)

    shards = [
        (at, min(at + _SHARD, end))
        for start, end in _stretches(line.frame)
        for at in range(start, end, _SHARD)
    ]
    if len(shards) < 2:
        for shard in shards:
            run(shard)
    else:
        list(_pool().map(run, shards))


@cache
def _pool() -> ThreadPoolExecutor:
    """A thread for each core: NumPy and SimSIMD release the interpreter's lock."""
    return ThreadPoolExecutor(cores(), "framefind-scan")


def _best_of_frames(scores: NDArray[np.float32], bounds: NDArray[np.int64]) -> NDArray[np.float32]:
    """The best of the scores between each two bounds."""
    views = int(bounds[1])
    if len(scores) == views * (len(bounds) - 1) and (np.diff(bounds) == views).all():
        best = scores[::views].copy()  # `reduceat` takes several times as long
        for view in range(1, views):
            np.maximum(best, scores[view::views], out=best)
        return best
    return np.asarray(np.maximum.reduceat(scores, bounds[:-1]))


def _products_of_codes(
    index: "VectorIndex",
    code: NDArray[np.int8],
    weight: np.float32,
    rows: slice | NDArray[np.int64],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The products of one of a query's codes (1, d) with the codes of some rows, times 100."""
    product = kernel()
    assert product is not None
    index.check("codes", rows)
    products = np.asarray(product(code, index.codes[rows], "dot", out_dtype="float32"))[0]
    products *= weight
    return np.asarray(np.multiply(products, index.scales[rows], out=out))


class Scores:
    """The scores (cosine × 100) of the frames of a timeline for one query.

    `values` is float32 (frames,), a frame's score being its best view's; each is within `slack`
    of the float32 product, and equal to it where `slack` is 0.
    """

    def __init__(self, scan: Scan) -> None:
        """Begin with approximate scores."""
        self.line, self.index, self.query = scan.line, scan.index, scan.query
        self.values, self._views = scan.values, scan.views
        self._codes, self._weights, lost = _encode_query(scan.query)
        if scan.coded:
            error, length = (
                self.index.frames[name][self.line.frame] for name in ("error", "length")
            )
            self._fine = np.asarray(error * (100 * float(np.linalg.norm(self.query))), np.float32)
            self.slack = np.asarray(self._fine + length * (100 * lost), np.float32)
        else:
            self._fine = np.repeat(scan.slack, self.line.of_videos[1])
            self.slack = self._fine.copy()

    def take(self, chosen: NDArray[np.bool_]) -> "Scores":
        """Return the scores of the frames of the chosen videos, a mask over `line.of_videos`."""
        first, counts = self.line.of_videos
        at = ranges(first[chosen], counts[chosen])
        taken = copy(self)
        taken.line = self.line.take(at)
        taken.values, taken.slack, taken._fine = self.values[at], self.slack[at], self._fine[at]
        return taken

    def settle_best(self) -> NDArray[np.float32]:
        """Settle the best frame of each video, and return its score: (videos,)."""
        if not len(self.line):
            return np.empty(0, np.float32)
        first, counts = self.line.of_videos
        best = np.repeat(np.maximum.reduceat(self.values, first), counts)
        self.refine(np.flatnonzero(self.values == best))
        for better in (self.refine, self.settle):
            floor = np.maximum.reduceat(self.values - self.slack, first)
            better(np.flatnonzero(self.values + self.slack >= np.repeat(floor, counts)))
        return np.asarray(np.maximum.reduceat(self.values, first))

    def settle(self, at: NDArray[np.int64]) -> None:
        """Score the frames at these positions of the timeline exactly."""
        at = at[self.slack[at] > 0]
        rows, owner = self._likely(at)
        scores = _exact(self.index, self.query, rows)
        self.values[at], self.slack[at] = _best(scores, owner), 0

    def refine(self, at: NDArray[np.int64]) -> None:
        """Score the frames at these positions with both codes of the query."""
        at = at[self.slack[at] > self._fine[at]]
        rows, owner = self._likely(at)
        for part in _parts(rows):
            self._views[part] += _products_of_codes(
                self.index, self._codes[1:], self._weights[1], part
            )
        self.values[at], self.slack[at] = _best(self._views[rows], owner), self._fine[at]

    def _likely(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of the views that may be the best of the frames at these positions.

        And for each row, of which frame it is: an ordinal in `at`.
        """
        first, counts = self.index.views(self.line.frame[at])
        rows, owner = ranges(first, counts), np.repeat(np.arange(len(at)), counts)
        likely = self._views[rows] >= (self.values[at] - 2 * self.slack[at])[owner]
        return rows[likely], owner[likely]

    def settle_hits(
        self,
        cut: NDArray[np.float64],
        runs: Callable[[NDArray[np.int64]], NDArray[np.int64]],
        count: int | None = None,
    ) -> NDArray[np.int64]:
        """Return the positions of the hits: frames whose exact score reaches `cut`, (frames,).

        With `count`, only of those runs of hits that may hold the best `count` moments: `runs` says
        where runs begin among given positions, of which each run makes a moment or more.
        """
        low, high = self.values - self.slack, self.values + self.slack
        at = np.flatnonzero(high >= cut)
        first = runs(at)
        if count is not None and count < len(first):
            certain = np.where(low[at] >= cut[at], low[at], -np.inf)
            least = np.partition(np.maximum.reduceat(certain, first), -count)[-count]
            kept = np.maximum.reduceat(high[at], first) >= least
            at = at[np.repeat(kept, np.diff(first, append=len(at)))]
        for better in (self.refine, self.settle):
            better(at[np.abs(self.values[at] - cut[at]) <= self.slack[at]])
        return at[self.values[at] >= cut[at]]

    def settle_peaks(self, at: NDArray[np.int64], owner: NDArray[np.int64]) -> None:
        """Settle the best frame of each owner; `owner` says whose the frames `at` are."""
        for better in (self.refine, self.settle):
            floor = np.full(int(owner.max(initial=-1)) + 1, -np.inf, np.float32)
            np.maximum.at(floor, owner, self.values[at] - self.slack[at])
            better(at[self.values[at] + self.slack[at] >= floor[owner]])

    def best_views(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the best view of the frames at these positions, by exact scores."""
        first, counts = self.index.views(self.line.frame[at])
        rows, owner = ranges(first, counts), np.repeat(np.arange(len(at)), counts)
        scores = _exact(self.index, self.query, rows)
        winners = np.flatnonzero(scores == _best(scores, owner)[owner])
        return np.asarray(rows[winners[np.unique(owner[winners], return_index=True)[1]]])


def scan_together(
    index: "VectorIndex", queries: NDArray[np.float32], line: Timeline
) -> Iterator[Scan]:
    """Score the same frames for each of several queries, float32 (n, d).

    They are multiplied in float32, as many at a time as `_PRODUCT` allows: the vectors are read
    once for all of those.
    """
    count = max(1, _PRODUCT // max(1, len(index.vectors)))
    lengths = index.video_errors[1][line.video[line.of_videos[0]]]
    rounding = (2 * index.dimensions + 64) * 2.0**-24  # of either product (Higham 2002, 3.1)
    for at in range(0, len(queries), count):
        part = queries[at : at + count]
        views, frames = _products(index, part, line)
        for query, own, values in zip(part, views.T, frames, strict=True):
            slack = lengths * np.float32(100 * rounding * float(np.linalg.norm(query)))
            yield Scan(index, query, line, values, slack, own, coded=False)


def _products(
    index: "VectorIndex", queries: NDArray[np.float32], line: Timeline
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Float32 products, times 100: of the index's views (views, n), the line's frames (n, …)."""
    scaled = np.ascontiguousarray(queries.T * np.float32(100))
    views = np.empty((len(index.vectors), len(queries)), np.float32)  # touched where multiplied
    best = np.empty((len(index.frames), len(queries)), np.float32)
    for start, end in _stretches(line.frame):
        for at in range(start, end, _FRAMES):
            frames = np.arange(at, min(at + _FRAMES, end))
            first, counts = index.views(frames)
            part = slice(int(first[0]), int(first[-1] + counts[-1]))
            index.check("vectors", part)
            np.matmul(_wide(index.vectors[part]), scaled, out=views[part])
            best[frames] = _best_rows(views[part], first - part.start, counts)
    return views, np.ascontiguousarray(best[line.frame].T)


def _wide(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Finite numbers of half precision in float32; `astype` takes five times as long."""
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    bits = vectors.view(np.int16).astype(np.int32)
    bits <<= 13  # exponent and fraction are now where float32 has them,
    bits &= ~0x70000000  # of the bits above, the first is the sign and the rest are none,
    return bits.view(np.float32) * np.float32(2.0**112)  # and the exponents count from elsewhere


def _best_rows(
    rows: NDArray[np.float32], first: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The greatest of each range of rows, column by column; `reduceat` takes ten times as long."""
    best = rows[first]
    for nth in range(1, int(counts.max())):
        at = np.flatnonzero(counts > nth)
        best[at] = np.maximum(best[at], rows[first[at] + nth])
    return best


def _exact(
    index: "VectorIndex", query: NDArray[np.float32], rows: slice | NDArray[np.int64]
) -> NDArray[np.float32]:
    """The float32 products of rows of an index with `query`, times 100."""
    index.check("vectors", rows)
    if isinstance(rows, slice):
        return exact(index.vectors[rows], query)
    return exact(index.vectors, query, rows)


def exact(
    vectors: NDArray[np.float16],
    query: NDArray[np.float32],
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """The float32 products of `vectors`, or of those `rows` of them, with `query`, times 100."""
    rows = np.arange(len(vectors)) if rows is None else rows
    products = np.empty(len(rows), np.float32)
    for at in range(0, len(rows), _BLOCK):
        part = _wide(vectors[rows[at : at + _BLOCK]])
        # Not by `@`: there, the last bits of a row's product depend on how many rows there are.
        products[at : at + _BLOCK] = np.einsum("ij,j->i", part, query)
    return products * np.float32(100)


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK))


def _best(scores: NDArray[np.float32], owner: NDArray[np.int64]) -> NDArray[np.float32]:
    """The best score of each owner, who come in order."""
    if not len(owner):
        return scores
    return np.maximum.reduceat(scores, np.flatnonzero(np.diff(owner, prepend=-1)))


def _encode_query(
    query: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32], float]:
    """The query's two codes (2, d), coarse and what that leaves, and 100 times their scales.

    And the length of what the first leaves.
    """
    codes, scales, rest = [], [], [query.astype(np.float64)]
    for _ in range(2):
        scales.append(max(float(np.abs(rest[-1]).max()), 1e-30) / 127)
        codes.append(np.rint(rest[-1] / scales[-1]))
        rest.append(rest[-1] - codes[-1] * scales[-1])
    lost = float(np.linalg.norm(rest[1]))
    return np.stack(codes).astype(np.int8), 100 * np.array(scales, np.float32), lost


def _stretches(frames: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of ordinals that cover `frames`: few and long, without long gaps."""
    if not len(frames):
        return
    breaks = np.flatnonzero(np.diff(frames) != 1)
    starts = frames[np.concatenate([[0], breaks + 1])]
    ends = frames[np.concatenate([breaks, [len(frames) - 1]])] + 1
    order = np.argsort(starts)
    starts, ends = starts[order], ends[order]
    gaps = np.flatnonzero(starts[1:] - ends[:-1] > _GAP)
    first, last = np.concatenate([[0], gaps + 1]), np.concatenate([gaps, [len(starts) - 1]])
    yield from zip(starts[first].tolist(), ends[last].tolist(), strict=True)
