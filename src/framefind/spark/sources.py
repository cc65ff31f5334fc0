"""Videos as Spark finds them: paths, never bytes."""

import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from framefind.arguments import whole_number
from framefind.errors import UsageError
from framefind.files.objects import canonical_uri
from framefind.indexing.decisions import Probed
from framefind.indexing.walk import File, look_up
from framefind.spark.session import require
from framefind.tables.address import is_local
from framefind.video.open import find_hwaccel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FILES = 1000
"""Files of a batch, so that a backlog is committed bit by bit."""

SEGMENT = (
    "path string, length long, modified timestamp, video_id string, duration double, width long, "
    "height long, fps double, codec string, number int, start double, end double, error string"
)

_ALL = "36500d"  # a file that comes late is a file
_BYTES = "path string, modificationTime timestamp, length long, content binary"
_FILE = "path string, length long, modified timestamp"
_ALIASES = {"s3a": "s3", "s3n": "s3", "abfs": "abfss", "wasbs": "abfss"}


def videos(
    spark: "SparkSession",
    source: str | os.PathLike[str],
    streaming: bool = True,
    glob: str | None = None,
    files: int = FILES,
) -> "DataFrame":
    """List the files below a folder or URI, at any depth: path, length (bytes) and modified.

    Their bytes are never read, so they may be of any size. `glob` is Spark's `pathGlobFilter`, for
    names. A stream takes up to `files` of them at a time, and takes those whose modified time is
    old, too; on Databricks by Auto Loader. Spark passes over what is hidden, and over names that
    begin with `_`, which `index` takes all the same.
    """
    require()
    from pyspark.sql import functions

    databricks = "DATABRICKS_RUNTIME_VERSION" in os.environ
    reader: Any = spark.readStream if streaming else spark.read
    if streaming and databricks:
        reader = reader.format("cloudFiles").option("cloudFiles.format", "binaryFile")
        reader = reader.option("cloudFiles.maxFilesPerTrigger", files)
    elif streaming:
        reader = reader.format("binaryFile").option("maxFilesPerTrigger", files)
        reader = reader.option("maxFileAge", _ALL).schema(_BYTES)
    else:
        reader = reader.format("binaryFile")
    reader = reader.option("recursiveFileLookup", "true")
    if glob:
        reader = reader.option("pathGlobFilter", glob)
    files_found: DataFrame = reader.load(to_spark_uri(source)).select(
        "path", "length", functions.col("modificationTime").alias("modified")
    )
    return files_found


def segments(
    df: "DataFrame", minutes: float = 10.0, decoder: str = "auto", tasks: int | None = None
) -> "DataFrame":
    """Look into videos, in the executors, and cut long ones into spans of about `minutes`.

    A row for each span: the columns of `videos`, with the path as framefind stores it; video_id,
    duration (s), width, height, fps, codec; `number` from 0; `start` and `end` in seconds, null at
    the ends of the video; `error`, of a file that cannot be decoded or is no video. A span holds
    the frames from its start until before its end, so that none is lost or doubled at a border.
    The rows are spread evenly over `tasks` partitions (four for each of Spark's slots), whatever
    the size of the files. `df` needs a `path`; other columns than those of `videos` are left
    behind, such as the bytes that Spark's `binaryFile` would read.

    Raises UsageError for a `df` without paths and for arguments that make no sense.
    """
    check_minutes(minutes)
    find_hwaccel(decoder)
    if tasks is not None:
        whole_number(tasks, "tasks", low=1)
    if "modified" not in df.columns and "modificationTime" in df.columns:
        df = df.withColumnRenamed("modificationTime", "modified")
    files = select_columns(df, _FILE, optional=("length", "modified"))
    spread = 4 * count_slots(df.sparkSession) if tasks is None else tasks
    looked = files.repartition(spread).mapInArrow(
        partial(_segments, length=60 * minutes, decoder=decoder), SEGMENT
    )
    return looked.repartition(spread)


def check_minutes(minutes: float) -> None:
    """Raise UsageError for a length that no span can have."""
    if not minutes > 0:
        raise UsageError(f"`minutes` {minutes!r}: use a number above 0")


def select_columns(df: "DataFrame", columns: str, optional: Collection[str] = ()) -> "DataFrame":
    """Return these columns of a DataFrame alone, each of its type; NaN becomes null.

    `optional` columns that it lacks are null. Raises UsageError when another one is missing, and
    when `path` is no text.
    """
    from pyspark.sql import functions

    kinds = dict(column.split() for column in columns.split(", "))
    own = dict(df.dtypes)
    missing = [name for name in kinds if name not in own and name not in optional]
    if missing:
        raise UsageError(f"`df` lacks the column {', '.join(missing)}; it has {', '.join(own)}")
    if own["path"] != "string":
        raise UsageError(f"`df` has paths of type {own['path']}: use string")
    kept = []
    for name, kind in kinds.items():
        column = (functions.col(name) if name in own else functions.lit(None)).cast(kind)
        if kind == "double":
            column = functions.nanvl(column, functions.lit(None))
        kept.append(column.alias(name))
    return df.select(*kept)


def find_missing(row: Mapping[str, Any], *names: str) -> str | None:
    """Return what a row needs and lacks, as the reason why it cannot be read; None if nothing."""
    missing = [name for name in names if not row[name]]
    return f"this row has no {' and no '.join(missing)}" if missing else None


def to_spark_uri(source: str | os.PathLike[str]) -> str:
    """Return a folder or URI as Spark wants it: an absolute `file:` URI, or `s3a:` for `s3:`."""
    text = os.fspath(source)
    if text.startswith("s3://") and "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        return "s3a://" + text.removeprefix("s3://")  # what Hadoop calls it
    if not is_local(text) or text.startswith(("file:", "dbfs:")):
        return text
    path = os.path.abspath(os.path.expanduser(text))
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return path  # /Volumes/…
    return "file://" + escape_pattern(path)


def escape_pattern(path: str) -> str:
    """Return a path escaped so that Spark finds no pattern in it."""
    return re.sub(r"[][{}*?\\]", r"\\\g<0>", path)


def from_spark_uri(path: str) -> str:
    """Return a path of Spark's as framefind has it: no `file:`, `s3:` for `s3a:`.

    A `file:` URI may be percent-escaped, as in the column `_metadata.file_path`.
    """
    scheme, colon, remainder = path.partition(":")
    if scheme == "dbfs":
        local = "/" + remainder.lstrip("/")
        return local if local.startswith("/Volumes/") else "/dbfs" + local
    if scheme == "file" and colon:
        return canonical_uri("file:///" + remainder.lstrip("/"))
    if "://" in path:
        return _ALIASES.get(scheme, scheme) + colon + remainder
    return path


def as_file(path: str, length: int, modified: int) -> File:
    """Return a file that Spark found, as a walk finds it; `modified` in microseconds.

    A local one is looked up again, since Spark rounds its time and does not resolve links; objects
    have full seconds.
    """
    path = from_spark_uri(path)
    if is_local(path):
        return look_up(path)
    return File(path, length, modified // 1_000_000 * 1_000_000)


def count_slots(spark: "SparkSession") -> int:
    """Return how many tasks run side by side, as far as Spark knows now."""
    return max(1, int(spark.sparkContext.defaultParallelism))


def _segments(batches: Iterable[Any], length: float, decoder: str) -> Iterator[Any]:
    import pyarrow as pa

    from framefind.spark.tasks import probe_all

    for batch in batches:
        files = batch.to_pylist()
        for file in files:
            file["path"] = file["path"] and from_spark_uri(file["path"])
        paths = [file["path"] for file in files if file["path"]]
        probes = iter([*probe_all(paths, decoder, cut=True)])
        for file in files:
            missing = find_missing(file, "path")
            probed = Probed("failed", error=missing) if missing else next(probes)
            rows = [file | span for span in _span_rows(probed, length)]
            yield pa.RecordBatch.from_pylist(rows, _schema())


def _span_rows(probed: Probed, length: float) -> Iterator[dict[str, Any]]:
    """Yield what the spans of a file have beside its path, or why it has none."""
    if probed.facts is None:
        yield {"error": probed.error, "video_id": probed.video_id or None}
        return
    borders = [None, *thin_cuts(probed.cuts, length), None]
    for number, (start, end) in enumerate(pairwise(borders)):
        span = {"number": number, "start": start, "end": end, "video_id": probed.video_id}
        yield asdict(probed.facts) | span


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"string": pa.string(), "long": pa.int64(), "int": pa.int32(), "double": pa.float64()}
    kinds["timestamp"] = pa.timestamp("us", tz="UTC")
    return pa.schema({name: kinds[kind] for name, kind in map(str.split, SEGMENT.split(", "))})


def thin_cuts(cuts: Sequence[float], length: float) -> list[float]:
    """Return those of many cuts that leave spans of about `length` seconds."""
    spaced: list[float] = []
    last = 0.0
    for cut in cuts:
        if cut - last >= length - 1e-6 and not math.isinf(length):
            spaced.append(cut)
            last = cut
    return spaced
