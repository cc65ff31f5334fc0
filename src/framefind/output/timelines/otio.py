"""OpenTimelineIO: the exchange format of the film industry, which Resolve reads as it is.

Times are a number of frames and a rate, a float in this format: that of 30000/1001 is the nearest.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from framefind.output.timelines.base import describe, media_url, start_frame, video_name
from framefind.output.timelines.timeline import Clip, Timeline
from framefind.video.frame_grid import FrameGrid


def write(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of the JSON document: a video track, and one of its sound."""
    kinds = ["Video"]
    if any(clip.grid.channels for clip in timeline.clips):
        kinds.append("Audio")
    tracks = [
        _item("Track.1", kind, kind=kind, children=[_clip(clip, kind) for clip in timeline.clips])
        for kind in kinds
    ]
    document = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": timeline.title,
        "global_start_time": _time(start_frame(timeline), timeline.rate),
        "tracks": _item("Stack.1", "tracks", children=tracks),
        "metadata": {},
    }
    yield from json.dumps(document, indent=2).split("\n")


def _clip(clip: Clip, kind: str) -> dict[str, Any]:
    grid = clip.grid
    if kind == "Audio" and not grid.channels:
        return _item("Gap.1", "", source_range=_range(0, clip.end - clip.start, grid.rate))
    moment = clip.moment
    facts = {"t": moment.t, "score": float(moment.score), "confidence": float(moment.confidence)}
    return _item(
        "Clip.2",
        video_name(moment.path),
        source_range=_range(clip.timecode, clip.end - clip.start, grid.rate),
        media_references={"DEFAULT_MEDIA": _reference(moment.path, grid)},
        active_media_reference_key="DEFAULT_MEDIA",
        metadata={"framefind": {**facts, "comment": describe(moment)}},
    )


def _reference(path: str, grid: FrameGrid) -> dict[str, Any]:
    available = grid.frames and _range(grid.timecode, grid.frames, grid.rate)
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": video_name(path),
        "target_url": media_url(path),
        "available_range": available,
        "metadata": {},
    }


def _item(schema: str, name: str, **members: Any) -> dict[str, Any]:
    common: dict[str, Any] = {
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "metadata": {},
    }
    return {"OTIO_SCHEMA": schema, "name": name, **common, **members}


def _range(first: int, count: int, rate: Fraction) -> dict[str, Any]:
    start = _time(first, rate)
    duration = _time(count, rate)
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": start, "duration": duration}


def _time(frames: int, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}
