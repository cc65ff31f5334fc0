"""Products of stored vectors with queries: approximate ones by 8-bit codes, and exact ones.

A vector v is kept as codes c, whole numbers from -127 to 127, and a scale s, so that v = s·c + e;
a query likewise. The product of codes is a whole number, which every machine computes exactly, and
by Cauchy and Schwarz |e·q| ≤ |e|·|q| bounds how far it is from the float32 product, at a quarter of
the memory traffic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CACHED_ROWS = 1 << 8  # vectors that are widened at a time, so that they stay in the cache
_ONE_THREAD = 1 << 18  # multiplications up to which OpenBLAS leaves a product to one thread
_EXPONENT_SHIFT = np.float32(2.0**112)  # float32 counts exponents from there, half precision not

Kernel = Callable[..., Any]


@dataclass(frozen=True)
class QueryCodes:
    """A query as two codes, int8 (2, d): a coarse one, and one of what that leaves.

    `weights` are 100 times their scales; `lost` is the length of what the first leaves.
    """

    codes: NDArray[np.int8]
    weights: NDArray[np.float32]
    lost: float


def encode(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return codes (n, d), scales, lengths and errors (n,) of float32 vectors (n, d).

    A length is that of scale × codes. An error bounds how far their product with any unit query
    in both its codes is from the float32 product.
    """
    d = vectors.shape[1]
    scales = np.maximum(np.abs(vectors).max(axis=1), np.float32(1e-30)) / np.float32(127)
    codes = np.rint(vectors / scales[:, None])
    lost = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
    lengths = np.linalg.norm(vectors, axis=1) + lost
    query = np.sqrt(d) / (127 * 254 * 2)  # worst-case quantization error of two codes
    errors = lost + lengths * (query + rounding_error(d))
    return codes.astype(np.int8), scales, lengths.astype("f4"), errors.astype("f4")


def rounding_error(dimensions: int) -> float:
    """Return a bound of how far apart two float32 products of unit vectors may be."""
    return float((2 * dimensions + 64) * 2.0**-24)  # of either product (Higham 2002, 3.1)


def encode_query(query: NDArray[np.float32]) -> QueryCodes:
    """Return the codes of a query, float32 (d,)."""
    codes = []
    scales = []
    remainders = [query.astype(np.float64)]
    for _ in range(2):
        scales.append(max(float(np.abs(remainders[-1]).max()), 1e-30) / 127)
        codes.append(np.rint(remainders[-1] / scales[-1]))
        remainders.append(remainders[-1] - codes[-1] * scales[-1])
    lost = float(np.linalg.norm(remainders[1]))
    return QueryCodes(np.stack(codes).astype(np.int8), 100 * np.array(scales, np.float32), lost)


@cache
def kernel() -> Kernel | None:
    """Return SimSIMD's products of 8-bit integers; None where they are slow or not installed."""
    try:
        import simsimd
    except ImportError:
        return None
    fast = {"neon", "neon_i8", "sve_i8", "haswell", "ice", "sierra"}
    available = {name for name, is_there in simsimd.get_capabilities().items() if is_there}
    return simsimd.cdist if available & fast else None


def multiply_codes(
    codes: NDArray[np.int8],
    weights: NDArray[np.float32],
    rows: NDArray[np.int8],
    scales: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the products, times 100, of queries' codes (n, d) with those of rows: (n, rows)."""
    multiply = kernel()
    assert multiply is not None
    products = np.asarray(multiply(codes, rows, "dot", out_dtype="float32"))
    products *= weights[:, np.newaxis]
    products *= scales
    return products


def multiply(
    vectors: NDArray[np.float16],
    query: NDArray[np.float32],
    rows: NDArray[np.int64] | slice = slice(None),
) -> NDArray[np.float32]:
    """Return the float32 products of `vectors`, or of those `rows` of them, with `query`, × 100."""
    if isinstance(rows, slice):
        vectors = vectors[rows]
        rows = np.arange(len(vectors))
    products = np.empty(len(rows), np.float32)
    wide = np.empty((min(len(rows), _CACHED_ROWS), vectors.shape[1]), np.float32)
    for at in range(0, len(rows), _CACHED_ROWS):
        part = vectors[rows[at : at + _CACHED_ROWS]]
        widen(part, wide[: len(part)])
        # Not by `@`: there, the last bits of a row's product depend on how many rows there are.
        products[at : at + len(part)] = np.einsum("ij,j->i", wide[: len(part)], query)
    return products * np.float32(100)


def multiply_matrices(
    vectors: NDArray[np.float16], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the float32 products of vectors (n, d) with columns (d, q): (n, q).

    They are computed on this thread alone. OpenBLAS shares larger products among its own threads,
    which wait for each other so often that it takes ten times as long while the cores are busy.
    """
    d, q = columns.shape
    size = max(1, _ONE_THREAD // (d * q))
    products = np.empty((len(vectors), q), np.float32)
    wide = np.empty((min(len(vectors), _CACHED_ROWS), d), np.float32)
    for at in range(0, len(vectors), _CACHED_ROWS):
        part = vectors[at : at + _CACHED_ROWS]
        out = products[at : at + len(part)]
        widen(part, wide[: len(part)])
        end = len(part) // size * size
        stack = wide[:end].reshape(-1, size, d)
        np.matmul(stack, columns, out=out[:end].reshape(-1, size, q))
        np.matmul(wide[end : len(part)], columns, out=out[end:])
    return products


def widen(vectors: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return finite numbers of half precision in float32; `astype` takes five times as long.

    They are written to `out`, if given: new memory takes longer than all the rest.
    """
    if out is None:
        out = np.empty(vectors.shape, np.float32)
    if vectors.dtype != np.float16:
        out[:] = vectors
        return out
    bits = out.view(np.int32)
    bits[:] = vectors.view(np.int16)
    bits <<= 13  # exponent and fraction are now where float32 has them,
    bits &= ~0x70000000  # of the bits above, only the first, the sign, is kept,
    out *= _EXPONENT_SHIFT
    return out
