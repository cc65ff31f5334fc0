"""Report lost and damaged thumbnails, and remember them until `index` makes them again."""

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from framefind.counts import write_count
from framefind.errors import DataFileError
from framefind.files import disk
from framefind.index.vectors import VectorIndex
from framefind.types import Video

if TYPE_CHECKING:  # a search whose index is up to date never loads pyarrow
    from framefind.tables.data_files import Key
    from framefind.tables.tables import Tables

_MEMORY = "pictures.json"
"""Name of the file with the segments whose pictures are not all there."""

_log = logging.getLogger(__name__)


def read_pictures(
    tables: "Tables", index: VectorIndex, folder: Path, keys: "Sequence[Key]"
) -> list[bytes | None]:
    """Return the JPEGs of frames given by video_id, segment and t; None for a lost or damaged one.

    What is lost is logged, and remembered in `folder`.
    """
    pictures = [picture if _is_whole(picture) else None for picture in tables.thumbnails(keys)]
    lost = [key for key, picture in zip(keys, pictures, strict=True) if picture is None]
    if lost:
        _save(folder, _load(folder) | {segment for _, segment, _ in lost})
        path = index.video(lost[0][0]).path
        _log.warning("%s lost: index its video again (%s)", _count(len(lost)), path)
    return pictures


def find_lost_pictures(folder: Path, videos: Iterable[Video]) -> list[str]:
    """Return the ids of the videos that have lost pictures, as far as that was noticed."""
    lost = _load(folder)
    return [video.video_id for video in videos if not lost.isdisjoint(video.segments)]


def check_pictures(tables: "Tables", folder: Path, videos: Sequence[Video]) -> list[str]:
    """Return the ids of the videos that have lost pictures, and remember that in `folder`.

    Reads all pictures.
    """
    from framefind.tables import data_files

    whole: set[str] = set()
    lost: set[str] = set()
    for file in tables.frame_files():
        with suppress(DataFileError), tables.reading():
            for segments, pictures in data_files.read_pictures(tables.store, file):
                are_whole = [_is_whole(picture) for picture in pictures]
                pairs = list(zip(segments, are_whole, strict=True))
                whole |= {segment for segment, is_there in pairs if is_there}
                lost |= {segment for segment, is_there in pairs if not is_there}
    published = {segment for video in videos for segment in video.segments}
    _save(folder, published - (whole - lost))
    return find_lost_pictures(folder, videos)


def _is_whole(jpeg: bytes | None) -> bool:
    """Return whether a JPEG begins and ends as one does; looks at nothing in between."""
    return jpeg is not None and jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9")


def _count(pictures: int) -> str:
    return f"{write_count(pictures, 'picture')} {'are' if pictures > 1 else 'is'}"


def _load(folder: Path) -> set[str]:
    try:
        content = json.loads((folder / _MEMORY).read_text("utf-8"))
    except (OSError, ValueError):
        return set()
    return set(content) if isinstance(content, list) else set()


def _save(folder: Path, segments: set[str]) -> None:
    """Remember segments; a cache that cannot be written is lost without harm."""
    if segments == _load(folder):
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        disk.replace(folder / _MEMORY, json.dumps(sorted(segments)).encode())
