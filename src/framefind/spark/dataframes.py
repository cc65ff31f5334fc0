"""Frames with their vectors as a DataFrame, for tables of any kind."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from framefind.indexing.embed import BATCH
from framefind.indexing.options import IndexOptions
from framefind.indexing.video_row import Ending
from framefind.models import registry
from framefind.spark import tasks
from framefind.spark.sources import find_missing, from_spark_uri, select_columns
from framefind.spark.tasks import Embedded, Job, VideoSpan
from framefind.tables.data_files import as_table
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.schema import FRAMES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FRAME = (
    "path string, video_id string, segment string, t double, thumbnail binary, "
    "boxes array<array<float>>, embeddings array<array<float>>, error string"
)
_SPAN = "path string, video_id string, start double, end double, error string"


def frames(
    df: "DataFrame",
    model: str = "mini",
    sampler: str = "every=1.0",
    views: str = "tiles",
    *,
    device: str = "auto",
    precision: str = "auto",
    dedupe: bool | float = False,
    decoder: str = "auto",
) -> "DataFrame":
    """Decode and embed what `segments` gives: a row per sampled frame, in batch and in streams.

    The columns of the library's table `frames`, with the `path` before them and `error` behind: a
    span that could not be decoded, or not to its end, has a row with the reason, without `t`. The
    model is loaded once per Python worker, on the GPU that Spark gives its tasks, if any.

    Raises UsageError when `df` lacks a column, and for arguments that make no sense.
    """
    options = IndexOptions.parse(sampler=sampler, views=views, dedupe=dedupe, decoder=decoder)
    opener = partial(tasks.load_model, registry.full_name(model), precision)
    return select_columns(df, _SPAN).mapInArrow(
        partial(_frames, job=Job(opener, options, device)), FRAME
    )


def _frames(batches: Iterable[Any], job: Job) -> Iterator[Any]:
    """Yield rows as they come, a batch of the encoder at a time, for `mapInArrow`."""
    rows: list[FrameRow] = []
    paths: list[str] = []
    segment = ""
    current = None
    for span, item in tasks.run(read_spans(batches), job):
        if span is not current:
            segment = new_segment()
            current = span
        if isinstance(item, Ending) and item.trouble:
            yield _trouble(span, segment, item.trouble)
        if not isinstance(item, Embedded):
            continue
        rows.append(tasks.frame_row(span, segment, item))
        paths.append(span.path)
        if len(rows) >= BATCH:
            yield _batch(rows, paths)
            rows = []
            paths = []
    if rows:
        yield _batch(rows, paths)


def read_spans(batches: Iterable[Any]) -> Iterator[VideoSpan]:
    """Yield the spans of batches of rows; one of a row that lacks something has an error."""
    for batch in batches:
        for row in batch.to_pylist():
            start = row["start"]
            end = row["end"]
            yield VideoSpan(
                from_spark_uri(row["path"] or ""),
                row["video_id"] or "",
                VideoSpan.start if start is None else start,
                VideoSpan.end if end is None else end,
                row["error"] or find_missing(row, "path", "video_id"),
            )


def _batch(rows: list[FrameRow], paths: list[str]) -> Any:
    import pyarrow as pa

    table = as_table(rows).add_column(0, "path", pa.array(paths, pa.string()))
    table = table.append_column("error", pa.nulls(len(rows), pa.string()))
    return table.combine_chunks().to_batches()[0]


def _trouble(span: VideoSpan, segment: str, trouble: str) -> Any:
    import pyarrow as pa

    fields = [pa.field("path", pa.string()), *FRAMES, pa.field("error", pa.string())]
    row = {"path": span.path, "video_id": span.video_id or None, "error": trouble}
    return pa.RecordBatch.from_pylist([row | {"segment": segment}], pa.schema(fields))
