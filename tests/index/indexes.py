"""Made-up indexes, written without tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from framefind.index.build import Appender
from framefind.index.products import multiply
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo
from framefind.models.confidence import Neutral
from framefind.search.filters import Filters, names_of
from framefind.search.query_vectors import EmbeddedQuery
from framefind.search.search import Judge, answer
from framefind.types import Page, Query

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """What limits a search: paths of videos, seconds in the video, scores and confidences."""

    videos: Sequence[str] = ()
    start: float | None = None
    end: float | None = None
    min_score: float | None = None
    min_confidence: float | None = None


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Rows of unit length, rounded to half precision as the tables store them."""
    rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows.astype(np.float16), np.float32)


def film(rng: np.random.Generator, frames: int, views: int, d: int, spread: float) -> Vectors:
    """A video whose frames are alike: float32 (frames, views, d)."""
    return unit(rng.standard_normal(d) + spread * rng.standard_normal((frames, views, d)))


def write(
    folder: Path,
    films: Sequence[Vectors],
    dead: Sequence[int] = (),
    old: VectorIndex | None = None,
    has_cuts: bool = True,
) -> VectorIndex:
    """An index of these videos, a frame a second, most with cuts (none without `has_cuts`).

    The `dead` are in its files, but do not count.

    With `old`, what that has is not written again.
    """
    d = films[0].shape[2] if films else 3
    known = old.segments if old else []
    with patch("os.fsync"), Appender(folder, old, d) as appender:  # no power cut to survive
        for at, vectors in enumerate(films):
            if f"s{at}" not in known:
                appender.append(_batch(f"s{at}", vectors))
        videos = [
            IndexedVideo(
                video_id=f"id{at}",
                path=f"/{at:04}.mp4",
                copies=[],
                duration=float(len(vectors)),
                modified=1e9 + at,
                segments=[f"s{at}"],
                cuts=[t + 0.4 for t in range(at % 3 + 1, len(vectors), 4)]
                if has_cuts and at % 3 != 2
                else None,
            )
            for at, vectors in enumerate(films)
            if at not in dead
        ]
        appender.commit({"dimensions": str(d)}, ("1", str(len(films))), videos)
    return VectorIndex(folder)


def score(index: VectorIndex, query: Vectors) -> tuple[Vectors, Vectors]:
    """The scores of all views in the order of the index, and of all frames of the timeline."""
    views = multiply(index.vectors, query)
    frames = [views[index.rows(int(frame))].max() for frame in index.timeline.frame]
    return views, np.array(frames, np.float32)


def page(
    index: VectorIndex,
    scale: float,
    neutral: Neutral,
    vector: Vectors,
    limits: Limits,
    then: Vectors | None = None,
    **choice: Any,
) -> Page:
    """The page of a query of that vector, and of what follows it, if that is asked for."""
    query = Query(
        "",
        then=None if then is None else "then",
        video=list(limits.videos),
        start=limits.start,
        end=limits.end,
        min_score=limits.min_score,
        min_confidence=limits.min_confidence,
        **choice,
    )
    videos = names_of(index).find_all(limits.videos) if limits.videos else None
    filters = Filters(videos, limits.start, limits.end)
    return answer([EmbeddedQuery(query, filters, vector, then)], index, Judge(scale, neutral))[0]


def _batch(segment: str, vectors: Vectors) -> pa.RecordBatch:
    frames, views, d = vectors.shape
    outer = np.arange(0, frames * views + 1, views, dtype=np.int32)
    columns = [
        pa.ListArray.from_arrays(
            outer, pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32) * width, flat)
        )
        for width, rows in (
            (4, np.zeros((frames * views, 4), np.float32)),
            (d, vectors.reshape(-1, d)),
        )
        for flat in [rows.ravel()]
    ]
    times = np.arange(frames, dtype=np.float64)
    return pa.RecordBatch.from_arrays(
        [pa.array([segment] * frames), pa.array(times), *columns],
        ["segment", "t", "boxes", "embeddings"],
    )
