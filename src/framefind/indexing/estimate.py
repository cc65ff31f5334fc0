"""Planning: what `index` would do and cost, without doing it."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from framefind.errors import NotAVideoError, StoreError, VideoError
from framefind.files.names import stored_path
from framefind.indexing.decide import Catalog
from framefind.indexing.decoders import reason
from framefind.indexing.walk import File
from framefind.models.base import Model
from framefind.processes import cores
from framefind.types import Offline
from framefind.video.process import SampledFrame, Worker
from framefind.video.samplers import parse_sampler

_TRIAL = 2.0  # seconds of trial decoding
_HALF = 2 * 0.9  # bytes per number of a vector: half precision, compressed


@dataclass
class Plan:
    """What a run of `index` would do; frames, size (bytes) and seconds are estimates."""

    videos: int = 0
    unchanged: int = 0
    known: int = 0  # touched, moved or copied: nothing to decode
    passed_over: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    offline: list[Offline] = field(default_factory=list)
    hours: float = 0.0
    frames: int = 0
    size: int = 0
    seconds: float = 0.0


def plan(files: Sequence[File], catalog: Catalog, model: Model, sampler: str, views: str) -> Plan:
    """Probe the files that are new or changed, try a little of the first, and extrapolate.

    Nothing is written. `seconds` supposes that all videos are about as hard to decode as the
    first, and that all cores are free.
    """
    result, worker = Plan(), Worker()
    trial: _Trial | None = None
    duration = 0.0
    try:
        for file in files:
            seconds = _probe(worker, file, catalog, result)
            if seconds is None:
                continue
            with contextlib.suppress(VideoError, StoreError):  # the next one may do for the trial
                trial = trial or _try(worker, model, sampler, views)
            duration += seconds
            result.videos += 1
            result.frames += parse_sampler(sampler).estimate_frames(seconds)
    finally:
        worker.close()
    result.hours = duration / 3600
    if trial:
        result.size = round(result.frames * trial.size)
        result.seconds = duration * trial.decoding / cores() + result.frames * trial.embedding
    return result


def _probe(worker: Worker, file: File, catalog: Catalog, result: Plan) -> float | None:
    """The length in seconds of a video that would be indexed; counts what would not be."""
    verdict = "failed" if file.error else catalog.look(file)
    if verdict != "decode":
        result.unchanged += verdict == "unchanged"
        result.passed_over += verdict == "passed over"
        if file.error:
            result.failed[stored_path(file.path)] = file.error
        return None
    try:
        facts, key = worker.open(file.path)
    except NotAVideoError as error:
        result.passed_over += not file.named
        if file.named:
            result.failed[stored_path(file.path)] = reason(file.path, error)
        return None
    except (VideoError, StoreError) as error:
        result.failed[stored_path(file.path)] = reason(file.path, error)
        return None
    if catalog.claim(file, key).what != "decode":
        result.known += 1
        return None
    return facts.plausible_duration(file.size) or 0.0


@dataclass(frozen=True)
class _Trial:
    decoding: float  # seconds of one core per second of video
    embedding: float  # seconds per frame, on all cores
    size: float  # bytes per frame


def _try(worker: Worker, model: Model, sampler: str, views: str) -> _Trial:
    """Decode the opened video for a moment, and embed what came of it."""
    frames: list[SampledFrame] = []
    started = now = time.perf_counter()
    for frame in worker.frames(sampler, views, model.size, threads=1, resize=model.resize):
        frames.append(frame)
        now = time.perf_counter()
        if now - started > _TRIAL:
            break
    pixels = np.concatenate([frame.pixels for frame in frames])
    model.embed_images(pixels[:1])  # loads the model, which is not to be counted
    embedding = time.perf_counter()
    model.embed_images(pixels)
    embedding = (time.perf_counter() - embedding) / len(frames)
    thumbnails = sum(len(frame.thumbnail) for frame in frames)
    vectors = len(pixels) * model.dimensions * _HALF
    covered = max(frames[-1].t - frames[0].t, 1.0)
    return _Trial((now - started) / covered, embedding, (thumbnails + vectors) / len(frames))
