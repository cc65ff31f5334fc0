"""The rows of a library's tables."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from framefind.video.views import Box


@dataclass(kw_only=True)
class Video:
    """One row of `videos`. Sizes in bytes, times in seconds, width and height in upright pixels."""

    video_id: str
    path: str
    copies: list[str] = field(default_factory=list)
    size: int = 0
    modified: datetime | None = None
    duration: float | None = None
    width: int = 0
    height: int = 0
    fps: float = 0.0
    codec: str = ""
    sampler: str = ""
    views: str = ""
    frames: int = 0
    segments: list[str] = field(default_factory=list)
    indexed_until: float = 0.0
    status: str = "indexing"
    error: str | None = None
    indexed_at: datetime | None = None

    @property
    def paths(self) -> list[str]:
        """All paths of the video: its own, then those of copies."""
        return [self.path, *self.copies]


@dataclass(frozen=True)
class FrameRow:
    """One row of `frames`: `t` in seconds, a JPEG, and per view a box and a unit vector.

    `embeddings` is float32 (views, dimensions); it is stored rounded to half precision.
    """

    video_id: str
    segment: str
    t: float
    thumbnail: bytes
    boxes: Sequence[Box]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class Upkeep:
    """What `maintain` did: data files rewritten and written, rows dropped, files deleted."""

    rewritten: int = 0
    written: int = 0
    dropped: int = 0
    deleted: int = 0


def new_segment() -> str:
    """A random segment id that begins with the time.

    So the segments of a data file lie close together, and the file's statistics tell nearly all
    other files apart from the one that holds a given frame.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
