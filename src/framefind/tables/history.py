"""The videos that `remove` and `prune` have forgotten, read from the log of `videos`."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from framefind.tables.address import filesystem
from framefind.tables.tables import Tables
from framefind.types import Video


def forgotten_videos(tables: Tables, hours: float = 168) -> Iterator[tuple[Video, list[str]]]:
    """Yield forgotten videos as they were before, each with the paths that were forgotten.

    The newest commits come first, none older than `hours`. Raises LibraryError when the log cannot
    be read.
    """
    from pyarrow.fs import FileSelector

    from framefind.tables.schema import VIDEOS
    from framefind.tables.videos_table import FORGETS, as_videos, read_rows

    address = tables.address("videos")
    store = filesystem(address)
    oldest = (time.time() - 3600 * hours) * 1000
    with tables.reading():
        files = {info.path.rpartition("/")[2] for info in store.get_file_info(FileSelector(""))}
        log = store.get_file_info(FileSelector("_delta_log"))
        entries = sorted((info.path for info in log if info.path.endswith(".json")), reverse=True)
        for entry in entries:
            with store.open_input_stream(entry) as stream:
                lines = [json.loads(line) for line in stream.read().splitlines() if line.strip()]
            info: dict[str, Any] = next(
                (line["commitInfo"] for line in lines if "commitInfo" in line), {}
            )
            if info.get("timestamp", 0) < oldest:
                return
            if FORGETS not in info:
                continue
            before, after = (
                [unquote(line[kind]["path"]) for line in lines if kind in line]
                for kind in ("remove", "add")
            )
            if not files.issuperset([*before, *after]):
                continue  # deleted meanwhile
            remaining = {
                row.video_id: row.paths for row in as_videos(read_rows(address, after, VIDEOS))
            }
            for row in as_videos(read_rows(address, before, VIDEOS)):
                paths = [path for path in row.paths if path not in remaining.get(row.video_id, ())]
                if paths:
                    yield row, paths
