"""The file behind a video of the library, on this computer or in an object store."""

import os
import stat
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from framefind.files import objects
from framefind.files.names import native_path, readable_first
from framefind.types import Video


@dataclass(frozen=True)
class MediaFile:
    """A file that exists: `size` in bytes, `modified` in nanoseconds since 1970."""

    path: str
    size: int
    modified: int


def find_file(row: Video) -> MediaFile:
    """Return a video's file, from its path or that of a copy; it may ask an object store.

    Raises HTTPException 404 if there is none or a link in its place, and StoreError if a store does
    not answer.
    """
    for path in readable_first(row.paths):
        file = _object(path) if objects.is_remote(path) else _local_file(native_path(path))
        if file:
            return file
    raise HTTPException(404, "the video's file is not there")


def _local_file(path: str) -> MediaFile | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or os.path.realpath(path) != os.path.abspath(path):
        return None
    return MediaFile(path, status.st_size, status.st_mtime_ns)


def _object(uri: str) -> MediaFile | None:
    facts = objects.stat_objects([uri])[uri]
    return MediaFile(uri, facts.size, facts.modified * 1000) if facts else None
