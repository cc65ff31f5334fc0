"""framefind on Apache Spark (extra `[spark]`)."""

from framefind.spark.analytics import tables
from framefind.spark.batch import search

__all__ = ["search", "tables"]
