"""The scan: score many vectors by 8-bit codes, and exactly only those where it decides something.

A vector v is kept as codes c, whole numbers from -127 to 127, and a scale s, so that v = s·c + e;
a query likewise. The product of codes is a whole number, which every machine computes exactly, and
by Cauchy and Schwarz |e·q| ≤ |e|·|q| bounds how far it is from the float32 product. A frame whose
bounds lie on one side of a cut needs no better score. The few others get finer ones: first with
what the query's codes lost, coded in turn, then from the float32 vectors. So the answers are those
of the float32 product, at little more than a quarter of its memory traffic.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framefind.vectors.timeline import Timeline, ranges

if TYPE_CHECKING:
    from framefind.vectors.index import VectorIndex

_GAP = 64  # frames that are scanned in vain sooner than that the scan is interrupted
_BLOCK = 1 << 12  # vectors that are scored at a time
_FRAMES = 1 << 11  # whose views are multiplied at a time
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


class Scores:
    """The scores (cosine × 100) of the frames of a timeline for one query.

    `values` is float32 (frames,), a frame's score being its best view's; each is within `slack`
    of the float32 product, and equal to it where `slack` is 0.
    """

    def __init__(
        self,
        index: "VectorIndex",
        query: NDArray[np.float32],
        line: Timeline,
        products: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    ) -> None:
        """Scan the frames of `line`, all or some of the index's, with `query`, float32 (d,).

        Or take the `products` that `together` has made of its views and frames.
        """
        self.line = line
        self._index, self._query = index, query
        if products is not None:
            self._views, self.values = products
            rounding = (2 * len(query) + 64) * 2.0**-24  # of either product (Higham 2002, 3.1)
            rounding *= 100 * float(np.linalg.norm(query))
            self.slack = np.asarray(index.frames["length"][line.frame] * rounding, np.float32)
            self._better: Sequence[Callable[[NDArray[np.int64]], None]] = (self.settle,)
            return
        self._better = (self._refine, self.settle)
        self._codes, self._weights, lost = _encode_query(query)
        self._views = np.empty(len(index.vectors), np.float32)  # touched where it is scanned
        self.values = self._scan()
        if kernel() is None:
            self._fine = np.zeros(len(line), np.float32)
            self.slack = np.zeros(len(line), np.float32)
        else:
            error, length = (index.frames[name][line.frame] for name in ("error", "length"))
            self._fine = np.asarray(error * (100 * float(np.linalg.norm(query))), np.float32)
            self.slack = np.asarray(self._fine + length * (100 * lost), np.float32)

    def leading(self, count: int, least: float) -> "Scores":
        """The scores, by `together`, in those videos that may have one of the best `count` moments.

        And whose best frame scores `least` or more. A video's best moment scores what its best
        frame does, so `count` videos with better ones leave no place to the others'. Made of what
        `together` gives only.
        """
        if not len(self.line):
            return self
        first, _ = self.line.of_videos
        best = np.maximum.reduceat(self.values, first)
        slack = np.maximum.reduceat(self.slack, first)
        if count < len(best):
            least = max(least, float(np.partition(best - slack, -count)[-count]))
        videos = np.zeros(int(self.line.video[-1]) + 1, bool)
        videos[self.line.video[first]] = best + slack >= least
        line, kept = self.line.select(videos), videos[self.line.video]
        return Scores(self._index, self._query, line, (self._views, self.values[kept]))

    def settle(self, at: NDArray[np.int64]) -> None:
        """Score the frames at these positions of the timeline exactly."""
        at = at[self.slack[at] > 0]
        rows, owner = self._likely(at)
        scores = exact(self._index.vectors, self._query, rows)
        self.values[at], self.slack[at] = _best(scores, owner), 0

    def _refine(self, at: NDArray[np.int64]) -> None:
        """Score the frames at these positions with both codes of the query."""
        at = at[self.slack[at] > self._fine[at]]
        rows, owner = self._likely(at)
        for part in _parts(rows):
            self._views[part] += self._product(1, self._index.codes[part], part)
        self.values[at], self.slack[at] = _best(self._views[rows], owner), self._fine[at]

    def _likely(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of the views that may be the best of the frames at these positions.

        And for each row, of which frame it is: an ordinal in `at`.
        """
        first, counts = self._index.views(self.line.frame[at])
        rows, owner = ranges(first, counts), np.repeat(np.arange(len(at)), counts)
        likely = self._views[rows] >= (self.values[at] - 2 * self.slack[at])[owner]
        return rows[likely], owner[likely]

    def settle_hits(self, margin: float, least: float | None) -> None:
        """Settle what decides which frames are hits, so that `values` tell it as exact ones do.

        A hit is within `margin` of the best frame of its video, and reaches `least`.
        """
        if not len(self.line):
            return
        first, counts = self.line.of_videos
        for better in self._better:
            floor = np.maximum.reduceat(self.values - self.slack, first)
            better(np.flatnonzero(self.values + self.slack >= np.repeat(floor, counts)))
        cut = np.maximum.reduceat(self.values, first).astype(np.float64) - margin
        if least is not None:
            cut = np.maximum(cut, least)
        cut = np.repeat(cut, counts)
        for better in self._better:
            better(np.flatnonzero(np.abs(self.values - cut) <= self.slack))

    def best_views(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the best view of the frames at these positions, by exact scores."""
        first, counts = self._index.views(self.line.frame[at])
        rows, owner = ranges(first, counts), np.repeat(np.arange(len(at)), counts)
        scores = exact(self._index.vectors, self._query, rows)
        winners = np.flatnonzero(scores == _best(scores, owner)[owner])
        return np.asarray(rows[winners[np.unique(owner[winners], return_index=True)[1]]])

    def _scan(self) -> NDArray[np.float32]:
        """Score all views of the frames, and return the frames' best."""
        index = self._index
        first, best = index.frames["first"], np.empty(len(index.frames), np.float32)
        for start, end in _stretches(self.line.frame):
            begin, stop = int(first[start]), index.rows(end - 1).stop
            for at in range(begin, stop, _BLOCK):
                part = slice(at, min(at + _BLOCK, stop))
                if kernel() is None:
                    self._views[part] = exact(index.vectors[part], self._query)
                else:
                    self._views[part] = self._product(0, index.codes[part], part)
            best[start:end] = np.maximum.reduceat(self._views[begin:stop], first[start:end] - begin)
        return best[self.line.frame]

    def _product(
        self, code: int, codes: NDArray[np.int8], rows: slice | NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The products of one of the query's codes with the codes of some rows, times 100."""
        product = kernel()
        assert product is not None
        query = self._codes[code : code + 1]
        products = np.asarray(product(query, codes, "dot", out_dtype="float32"))[0]
        products *= self._weights[code]
        return np.asarray(products * self._index.scales[rows])


def together(
    index: "VectorIndex", queries: NDArray[np.float32], line: Timeline
) -> Iterator[Scores]:
    """The scores of the same frames for each of several queries, float32 (n, d).

    They are multiplied in float32, as many at a time as `_PRODUCT` allows: the vectors are read
    once for all of those.
    """
    count = max(1, _PRODUCT // max(1, len(index.vectors)))
    for at in range(0, len(queries), count):
        part = queries[at : at + count]
        views, values = _products(index, part, line)
        for query, *products in zip(part, views.T, values, strict=True):
            yield Scores(index, query, line, (products[0], products[1]))


def _products(
    index: "VectorIndex", queries: NDArray[np.float32], line: Timeline
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Float32 products, times 100: of the index's views (views, n) and the line's frames (n, …)."""
    scaled = np.ascontiguousarray(queries.T * np.float32(100))
    views = np.empty((len(index.vectors), len(queries)), np.float32)  # touched where multiplied
    best = np.empty((len(index.frames), len(queries)), np.float32)
    for start, end in _stretches(line.frame):
        for at in range(start, end, _FRAMES):
            frames = np.arange(at, min(at + _FRAMES, end))
            first, counts = index.views(frames)
            part = slice(int(first[0]), int(first[-1] + counts[-1]))
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
