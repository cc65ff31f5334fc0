"""Which videos have lost frames or words: their segments are in no data file any more."""

from collections.abc import Sequence
from contextlib import suppress

from framefind.errors import DataFileError
from framefind.tables.tables import Tables
from framefind.types import Video


def find_lost_frames(tables: Tables, videos: Sequence[Video]) -> list[str]:
    """Return the ids of the videos that have lost frames."""
    stored: set[str] = set()
    for file in tables.frame_files():
        with suppress(DataFileError):
            stored |= tables.read_segments(file).keys()
    return [video.video_id for video in videos if not stored.issuperset(video.segments)]


def find_lost_words(tables: Tables, videos: Sequence[Video]) -> list[str]:
    """Return the ids of the videos that have lost words."""
    if not any(video.cue_segments for video in videos):
        return []
    stored = tables.count_cues()
    return [video.video_id for video in videos if not stored.keys() >= {*video.cue_segments}]
