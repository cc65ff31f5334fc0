"""framefind on Apache Spark (extra `[spark]`)."""

from framefind.spark.published import tables
from framefind.spark.searching import search

__all__ = ["search", "tables"]
