"""Thousands of queries against all of a library in one Spark job, answered as a search does.

No video's moments depend on another video. So the videos are dealt out in shares; a task makes a
small index of each of its shares, answers all queries from it by the code that every search runs,
and keeps the best results of each query. Results of two shares merge by score, path and start: only
those few rows move between machines, never a vector.
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

from framefind.index.build import Appender, to_indexed_video
from framefind.index.text import TextIndex
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo
from framefind.library import Library
from framefind.search.filters import VideoNames
from framefind.search.query_vectors import EmbeddedQuery, as_queries, embed_queries
from framefind.search.ranking import LOWEST
from framefind.search.search import Judge, answer
from framefind.spark.session import as_library
from framefind.tables.tables import Tables
from framefind.types import Moment, PathLike, Query, VideoMoments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MAX_SHARE_FRAMES = 1 << 14
"""Maximum frames in a task's index at a time: a few hundred megabytes of its disk."""

_QUERIES_PER_BATCH = 1024  # queries whose moments are handed over in one batch
_NUMBERS = {name: pa.float64() for name in ("start", "end", "t", "score", "confidence")}
_RESULT_ROW = pa.schema(
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

Result = Moment | VideoMoments


@dataclass(frozen=True)
class Share:
    """Some of the videos, and in which data files which of their segments are."""

    videos: list[IndexedVideo]
    files: dict[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> "Share":
        """Read what `json.dumps(asdict(share))` has written."""
        read = json.loads(text)
        return cls([IndexedVideo(**video) for video in read["videos"]], read["files"])


@dataclass(frozen=True)
class _SearchJob:
    """All that a task needs: the embedded queries, and where the library is."""

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
    """Find the moments that `Library.search_batch` finds for the queries, by one Spark job.

    A text is a Query with nothing else. Columns: `query` (its place among the queries, from 0),
    `text`, `rank` (from 1; of the video with `by="video"`), path, video_id, start, end, t, score,
    confidence, box, then, and `video_score` with `by="video"`; in the order of query and rank.
    Texts are embedded here, in one go; every worker needs framefind and to reach the library. The
    answers are exact, however large the library is. `partitions` is how many tasks share the work,
    by default four for each core.

    Raises LibraryError when there is no library and QueryError when a query is no query.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    opened = as_library(library)
    query_list = as_queries(queries)
    tables = Tables.open(opened.uri)
    model = opened.choice.reopen(opened.uri, tables.fingerprint)
    embedded = embed_queries(
        query_list,
        opened.vector_index.get,
        lambda: VideoNames(tables.videos()),
        partial(_open_text, opened, tables),
        model,
    )
    whole = [_first_pages(query) for query in embedded]
    job = _SearchJob(whole, Judge.of(model), tables.uri, tables.fingerprint)
    rows = [(json.dumps(asdict(share)),) for share in deal_videos(spark, tables)]
    count = min(len(rows), partitions or 4 * spark.sparkContext.defaultParallelism)
    dealt = spark.createDataFrame(rows, "share string").repartition(max(1, count))
    results = dealt.mapInArrow(partial(_answer_shares, job), from_arrow_schema(_RESULT_ROW))
    return _rank(spark, query_list, results)


def _open_text(library: Library, tables: Tables) -> TextIndex | None:
    """Return the words of a library; its index is not made where it has none."""
    has_words = any(video.cue_segments for video in tables.videos())
    return library.vector_index.get().text if has_words else None


def deal_videos(spark: "SparkSession", tables: Tables) -> list[Share]:
    """Deal out all videos in shares of about `MAX_SHARE_FRAMES`, in the order of indexing."""
    videos = sorted(
        (video for video in tables.videos() if video.segments), key=lambda video: video.segments[0]
    )
    files: defaultdict[str, list[str]] = defaultdict(list)  # a segment may be in several
    for file, segment in _list_segments(spark, tables):
        files[segment].append(file)
    groups: list[Share] = []
    room = 0
    for video in videos:
        if not groups or video.frames > room:
            groups.append(Share([], {}))
            room = MAX_SHARE_FRAMES
        room -= video.frames
        groups[-1].videos.append(to_indexed_video(video))
        for segment in video.segments:
            for file in files[segment]:
                groups[-1].files.setdefault(file, []).append(segment)
    return groups


def _list_segments(spark: "SparkSession", tables: Tables) -> list[tuple[str, str]]:
    """List the data files of `frames`, each with every segment in it."""
    uri = tables.uri
    columns = "file string, segment string"

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch["file"].to_pylist():
                names = sorted(Tables(uri).read_segments(file))
                yield pa.RecordBatch.from_pydict({"file": [file] * len(names), "segment": names})

    files = [(file,) for file in tables.frame_files()]
    if not files:
        return []
    rows = spark.createDataFrame(files, "file string").mapInArrow(read, columns).collect()
    return [(row["file"], row["segment"]) for row in rows]


@contextmanager
def _open_index(job: _SearchJob, share: Share) -> Iterator[VectorIndex]:
    """Give the index of a share, for as long as it is needed."""
    tables = Tables(job.uri)
    videos = sorted(share.videos, key=lambda video: video.path)
    with TemporaryDirectory(prefix="framefind-", ignore_cleanup_errors=True) as name:
        with Appender(Path(name), None, int(job.fingerprint["dimensions"])) as appender:
            for file, segments in share.files.items():
                for batch in tables.read_frames(file, segments):
                    appender.append(batch)
            appender.commit(job.fingerprint, ("", ""), videos)
        yield VectorIndex(Path(name), exact=True)


def _answer_shares(job: _SearchJob, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Do a task: yield the best that its shares have for each query, as `_RESULT_ROW`s."""
    best: list[list[Result]] = [[] for _ in job.queries]
    for batch in batches:
        for text in batch["share"].to_pylist():
            with _open_index(job, Share.parse(text)) as index:
                _improve(job, index, best)
    for start in range(0, len(best), _QUERIES_PER_BATCH):
        some = enumerate(best[start : start + _QUERIES_PER_BATCH], start)
        rows = [
            row for at, results in some for result in results for row in _result_rows(at, result)
        ]
        yield pa.RecordBatch.from_pylist(rows, _RESULT_ROW)


def _first_pages(query: EmbeddedQuery) -> EmbeddedQuery:
    """Return a query for its page and all before it, since any share may hold some of them."""
    end = query.query.offset + query.query.limit
    return replace(query, query=replace(query.query, limit=end, offset=0))


def _improve(job: _SearchJob, index: VectorIndex, best: list[list[Result]]) -> None:
    """Merge what this index has into the best results of each query so far."""
    limits = [query.query.limit for query in job.queries]
    floors = [
        results[limit - 1].score if len(results) >= limit else LOWEST
        for results, limit in zip(best, limits, strict=True)
    ]
    pages = answer(job.queries, index, job.judge, floors)
    for at, page in enumerate(pages):
        more: Sequence[Result] = page.moments if page.videos is None else page.videos
        best[at] = sorted([*best[at], *more], key=_page_order)[: limits[at]]


def _page_order(result: Result) -> tuple[float, str, float]:
    """Return the sort key of a page: score, then path, then start."""
    start = result.start if isinstance(result, Moment) else 0.0
    return -result.score, result.path, start


def _result_rows(query: int, result: Result) -> Iterator[dict[str, Any]]:
    """Yield a moment, or the moments of a video, as `_RESULT_ROW`s."""
    if isinstance(result, Moment):
        yield {"query": query, **asdict(result)}
    else:
        yield from (
            {"query": query, **asdict(moment), "video_score": result.score}
            for moment in result.moments
        )


def _rank(spark: "SparkSession", queries: Sequence[Query], results: "DataFrame") -> "DataFrame":
    """Merge the results of all tasks, and cut them to the page of each query."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    schema = "query long, text string, offset long, last long"
    rows = [(at, q.text, q.offset, q.offset + q.limit) for at, q in enumerate(queries)]
    pages = sql.broadcast(spark.createDataFrame(rows, schema))
    by_video = sql.col("video_score").isNotNull()
    order = (
        sql.coalesce("video_score", "score").desc(),
        sql.col("path"),
        sql.col("video_id"),
        sql.when(~by_video, sql.col("start")),  # the moments of a video have its rank
    )
    rank = sql.dense_rank().over(Window.partitionBy("query").orderBy(*order))
    ranked = results.withColumn("rank", rank).join(pages, "query")
    return (
        ranked.where("rank > offset and rank <= last")
        .select("query", "text", "rank", *_RESULT_ROW.names[1:])
        .orderBy("query", "rank", sql.col("score").desc(), "start")
    )
