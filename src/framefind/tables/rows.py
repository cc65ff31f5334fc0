"""The rows of the tables `frames` and `cues`, and the ids of their segments."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framefind.types import Box, Cue


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
class CueRow:
    """One row of `cues`: a cue of a video."""

    video_id: str
    segment: str
    cue: Cue


def new_segment(source: str = "") -> str:
    """Return a random segment id that begins with the current time.

    So the segments of a data file lie close together, and the statistics of nearly all other files
    rule out that they hold a given frame. That of a segment of cues ends with their source.
    """
    segment = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
    return f"{segment}-{source}" if source else segment


def segment_source(segment: str) -> str:
    """Return the source of the cues in a segment."""
    return segment.rpartition("-")[2]
