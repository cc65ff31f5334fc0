"""The same pipeline on Apache Spark: from two cores of a laptop to a cluster.

`index` fills a library from a stream of videos. `videos`, `segments`, `frames` and `cues` are its
steps as DataFrames, for whoever writes them elsewhere. `search` answers thousands of queries in one
job, and `tables` gives the library's tables to Spark SQL. Needs the extra [spark] and Java.
"""

from framefind.spark.batch_search import search
from framefind.spark.dataframes import frames
from framefind.spark.session import SparkError, session
from framefind.spark.sources import segments, videos
from framefind.spark.sql_tables import tables
from framefind.spark.stream import index
from framefind.spark.words import cues

__all__ = [
    "SparkError",
    "cues",
    "frames",
    "index",
    "search",
    "segments",
    "session",
    "tables",
    "videos",
]
