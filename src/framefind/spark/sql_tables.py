"""The tables of a library as DataFrames: only what counts, for Spark SQL."""

from typing import TYPE_CHECKING

import pyarrow as pa

from framefind.library import Library
from framefind.spark.session import as_library
from framefind.spark.sources import escape_pattern, to_spark_uri
from framefind.tables import cues_table
from framefind.tables.delta_log import list_files
from framefind.tables.schema import SCHEMAS, with_unknown_columns
from framefind.tables.tables import Tables
from framefind.types import PathLike

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def tables(
    spark: "SparkSession", library: Library | PathLike
) -> "tuple[DataFrame, DataFrame, DataFrame]":
    """Open the tables `videos`, `frames` and `cues` of a library; of the latter what is published.

    They are read as plain Parquet, by the file lists of the tables' newest versions, so that no
    Delta connector is needed; on an object store Spark needs its own file system for the URI.
    Columns that an older library lacks are null; those that other programs added come last.
    Raises LibraryError when there is no library.
    """
    opened = Tables.open(as_library(library).uri)
    videos = _read(spark, opened, "videos")
    frames = _publish(_read(spark, opened, "frames"), videos, "segments")
    cues = _publish(_read(spark, opened, "cues"), videos, "cue_segments")
    return videos, frames, cues


def _publish(rows: "DataFrame", videos: "DataFrame", segments: str) -> "DataFrame":
    """Return the rows whose segment is among their video's `segments`, a column of `videos`."""
    published = videos.selectExpr("video_id", f"explode({segments}) AS segment")
    return rows.join(published, ["video_id", "segment"], "left_semi").select(rows.columns)


def _read(spark: "SparkSession", tables: Tables, name: str) -> "DataFrame":
    from pyspark.sql.pandas.types import from_arrow_schema

    address = tables.address(name)
    if name == "cues" and not cues_table.exists(address):  # made before there were cues
        return spark.createDataFrame([], from_arrow_schema(SCHEMAS[name]))
    table = tables.delta(name)
    files = [_to_pattern(f"{address}/{action['path']}") for action in list_files(table)]
    schema = from_arrow_schema(pa.schema(with_unknown_columns(table, name)))
    if not files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*files)


def _to_pattern(path: str) -> str:
    """Return a path or URI as Spark wants it, escaped so that Spark finds no pattern in it."""
    uri = to_spark_uri(path)
    return uri if uri.startswith("file:") else escape_pattern(uri)
