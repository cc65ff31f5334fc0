"""The tables of a library as DataFrames: only what counts, for Spark SQL."""

import os
import re
from typing import TYPE_CHECKING

import pyarrow as pa

from framefind.library import Library
from framefind.spark.session import as_library
from framefind.tables.address import is_local
from framefind.tables.delta_log import list_files
from framefind.tables.tables import Tables
from framefind.types import PathLike

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def tables(spark: "SparkSession", library: Library | PathLike) -> "tuple[DataFrame, DataFrame]":
    """Open the tables `videos` and `frames` of a library, the latter with published rows only.

    They are read as plain Parquet, by the file lists of the tables' newest versions, so that no
    Delta connector is needed; on an object store Spark needs its own file system for the URI.
    Raises LibraryError when there is no library.
    """
    opened = Tables.open(as_library(library).uri)
    videos = _read(spark, opened, "videos")
    frames = _read(spark, opened, "frames")
    published = videos.selectExpr("video_id", "explode(segments) AS segment")
    return videos, frames.join(published, ["video_id", "segment"], "left_semi")


def _read(spark: "SparkSession", tables: Tables, name: str) -> "DataFrame":
    from pyspark.sql.pandas.types import from_arrow_schema

    table = tables.delta(name)
    root = tables.address(name)
    root = os.path.abspath(root) if is_local(root) else root
    files = [_escape_path(f"{root}/{action['path']}") for action in list_files(table)]
    schema = from_arrow_schema(pa.schema(table.schema().to_arrow()))
    if not files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*files)


def _escape_path(path: str) -> str:
    """Return a path escaped so that Spark finds no pattern in it."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)
