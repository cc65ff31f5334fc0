"""Thousands of queries against all of a library in one Spark job, answered as a search does.

Everything is decided inside one video. So the videos are dealt out in shares; a task makes a small
index of each of its shares, answers all queries from it by the code that every search runs, and
keeps the best for each query. What two shares found merges by score, path and start: only those few
rows move between machines, never a vector.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from framefind.index.build import Appender, listed
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo
from framefind.library import Library
from framefind.library import open as open_library
from framefind.search.filters import VideoNames
from framefind.search.query_vectors import EmbeddedQuery, as_queries, embed_queries
from framefind.search.ranking import LOWEST
from framefind.search.search import Judge, answer
from framefind.tables.tables import Tables
from framefind.types import Moment, PathLike, Query, VideoMoments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SHARE = 1 << 14
"""Frames that a task has in its index at a time: a few hundred megabytes on its disk, at most."""

_ROWS = 1024  # queries whose moments are handed over in one batch
_NUMBERS = {name: pa.float64() for name in ("start", "end", "t", "score", "confidence")}
_FOUND = pa.schema(
    {
        "query": pa.int64(),
        "path": pa.string(),
        "video_id": pa.string(),
        **_NUMBERS,
        "box": pa.list_(pa.float64()),
        "then": pa.struct(_NUMBERS.items()),
        "video_score": pa.float64(),
    }
)


Found = Moment | VideoMoments


@dataclass(frozen=True)
class Share:
    """Some of the videos, and in which data files which of their segments are."""

    videos: list[IndexedVideo]
    files: dict[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> "Share":
        """What `json.dumps(asdict(share))` has written."""
        read = json.loads(text)
        return cls([IndexedVideo(**video) for video in read["videos"]], read["files"])


@dataclass(frozen=True)
class _Asked:
    """All that a task needs to know: the embedded queries, and where the library is."""

    queries: list[EmbeddedQuery]
    judge: Judge
    uri: str
    fingerprint: dict[str, str]


def search(
    spark: "SparkSession",
    library: Library | PathLike,
    queries: str | Query | Iterable[str | Query],
    *,
    partitions: int | None = None,
) -> "DataFrame":
    """The moments that `Library.search_batch` finds for each of the queries, by one Spark job.

    A text is a Query with nothing else. Columns: `query` (its place among the queries, from 0),
    `text`, `rank` (from 1; of the video with `by="video"`), path, video_id, start, end, t, score,
    confidence, box, then, and `video_score` with `by="video"`; in the order of query and rank.
    Texts are embedded here, in one go; every worker needs framefind and to reach the library. The
    answers are exact, however large the library is. `partitions` is how many tasks share the work,
    by default four for each core.

    Raises LibraryError when there is no library and QueryError when a query is no query.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    opened = library if isinstance(library, Library) else open_library(library)
    asked = as_queries(queries)
    tables = Tables.open(opened.uri)
    model = opened.encoder(tables.fingerprint)
    embedded = embed_queries(
        asked, opened.vector_index.get, lambda: VideoNames(tables.videos()), model
    )
    whole = [_first_pages(query) for query in embedded]
    job = _Asked(whole, Judge.of(model), tables.uri, tables.fingerprint)
    rows = [(json.dumps(asdict(share)),) for share in shares(spark, tables)]
    count = min(len(rows), partitions or 4 * spark.sparkContext.defaultParallelism)
    dealt = spark.createDataFrame(rows, "share string").repartition(max(1, count))
    found = dealt.mapInArrow(partial(_found, job), from_arrow_schema(_FOUND))
    return _ranked(spark, asked, found)


def shares(spark: "SparkSession", tables: Tables) -> list[Share]:
    """All videos in shares of at most about `SHARE` frames, neighbours in time of indexing."""
    videos = sorted(
        (video for video in tables.videos() if video.segments), key=lambda one: one.segments[0]
    )
    where: defaultdict[str, list[str]] = defaultdict(list)  # a segment may be in several files
    for file, segment in _segments(spark, tables):
        where[segment].append(file)
    groups: list[Share] = []
    room = 0
    for video in videos:
        if not groups or video.frames > room:
            groups.append(Share([], {}))
            room = SHARE
        room -= video.frames
        groups[-1].videos.append(listed(video))
        for segment in video.segments:
            for file in where[segment]:
                groups[-1].files.setdefault(file, []).append(segment)
    return groups


def _segments(spark: "SparkSession", tables: Tables) -> list[tuple[str, str]]:
    """The data files of `frames` and the segments in each."""
    uri, columns = tables.uri, "file string, segment string"

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch["file"].to_pylist():
                names = sorted(Tables(uri).read_segments(file))
                yield pa.RecordBatch.from_pydict({"file": [file] * len(names), "segment": names})

    files = [(file,) for file in tables.frame_files()]
    if not files:
        return []
    found = spark.createDataFrame(files, "file string").mapInArrow(read, columns).collect()
    return [(row["file"], row["segment"]) for row in found]


@contextmanager
def _index(job: _Asked, share: Share) -> Iterator[VectorIndex]:
    """The index of a share, for as long as it is needed."""
    tables, videos = Tables(job.uri), sorted(share.videos, key=lambda video: video.path)
    with TemporaryDirectory(prefix="framefind-", ignore_cleanup_errors=True) as name:
        with Appender(Path(name), None, int(job.fingerprint["dimensions"])) as appender:
            for file, segments in share.files.items():
                for batch in tables.read_frames(file, segments):
                    appender.append(batch)
            appender.commit(job.fingerprint, ("", ""), videos)
        yield VectorIndex(Path(name), exact=True)


def _found(job: _Asked, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A task: the best that its shares have for each query, as rows of `_FOUND`."""
    best: list[list[Found]] = [[] for _ in job.queries]
    for batch in batches:
        for text in batch["share"].to_pylist():
            with _index(job, Share.parse(text)) as index:
                _improve(job, index, best)
    for start in range(0, len(best), _ROWS):
        part = enumerate(best[start : start + _ROWS], start)
        rows = [row for at, found in part for one in found for row in _rows(at, one)]
        yield pa.RecordBatch.from_pylist(rows, _FOUND)


def _first_pages(query: EmbeddedQuery) -> EmbeddedQuery:
    """Return a query for its page and all before it, since any share may hold some of them."""
    end = query.query.offset + query.query.limit
    return replace(query, query=replace(query.query, limit=end, offset=0))


def _improve(job: _Asked, index: VectorIndex, best: list[list[Found]]) -> None:
    """Put what is better in this index among the best for each query so far."""
    limits = [query.query.limit for query in job.queries]
    floors = [
        known[limit - 1].score if len(known) >= limit else LOWEST
        for known, limit in zip(best, limits, strict=True)
    ]
    pages = answer(job.queries, index, job.judge, floors)
    for at, page in enumerate(pages):
        more: Sequence[Found] = page.moments if page.videos is None else page.videos
        best[at] = sorted([*best[at], *more], key=_place)[: limits[at]]


def _place(found: Found) -> tuple[float, str, float]:
    """The order of a page: score, then path, then start."""
    return -found.score, found.path, found.start if isinstance(found, Moment) else 0.0


def _rows(query: int, found: Found) -> Iterator[dict[str, Any]]:
    """A moment, or the moments of a video, as rows of `_FOUND`."""
    if isinstance(found, Moment):
        yield {"query": query, **asdict(found)}
    else:
        yield from (
            {"query": query, **asdict(moment), "video_score": found.score}
            for moment in found.moments
        )


def _ranked(spark: "SparkSession", asked: Sequence[Query], found: "DataFrame") -> "DataFrame":
    """What all tasks have found, merged, and cut to the page of each query."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    schema = "query long, text string, offset long, last long"
    rows = [(at, q.text, q.offset, q.offset + q.limit) for at, q in enumerate(asked)]
    pages = sql.broadcast(spark.createDataFrame(rows, schema))
    by_video = sql.col("video_score").isNotNull()
    order = (
        sql.coalesce("video_score", "score").desc(),
        sql.col("path"),
        sql.col("video_id"),
        sql.when(~by_video, sql.col("start")),  # the moments of a video have its rank
    )
    rank = sql.dense_rank().over(Window.partitionBy("query").orderBy(*order))
    kept = found.withColumn("rank", rank).join(pages, "query")
    return (
        kept.where("rank > offset and rank <= last")
        .select("query", "text", "rank", *_FOUND.names[1:])
        .orderBy("query", "rank", sql.col("score").desc(), "start")
    )
