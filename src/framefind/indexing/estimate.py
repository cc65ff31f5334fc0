"""Estimate what `index` would do and cost, without doing it."""

import contextlib
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from framefind.errors import StoreError, VideoError
from framefind.indexing.decide import Catalog
from framefind.indexing.decisions import Settled, count_settled, probe
from framefind.indexing.decoders import DECODER
from framefind.indexing.options import IndexOptions
from framefind.indexing.walk import File
from framefind.models.base import Model
from framefind.processes import cores
from framefind.reports import Offline
from framefind.types import Video
from framefind.video.process import DecoderProcess, SampledFrame
from framefind.video.samplers.base import Sampler

_TRIAL_SECONDS = 2.0  # of trial decoding
_BYTES_PER_NUMBER = 2 * 0.9  # of a vector: half precision, compressed


@dataclass
class Plan:
    """What a run of `index` would do; frames, size (bytes) and seconds are estimates."""

    videos: int = 0
    read: int = 0  # only words are read of them
    unchanged: int = 0
    moved: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    failed_before: int = 0
    passed_over: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    offline: list[Offline] = field(default_factory=list)
    hours: float = 0.0
    frames: int = 0
    size: int = 0
    seconds: float = 0.0


def estimate(files: Sequence[File], catalog: Catalog, model: Model, options: IndexOptions) -> Plan:
    """Probe the files that are new or changed, try a little of the first, and extrapolate.

    Nothing is written. `seconds` supposes that all videos are about as hard to decode as the
    first, and that all cores are free. Reading the screen is part of it, speech is not.
    """
    result = Plan()
    trial: _Trial | None = None
    duration = 0.0
    with closing(
        DecoderProcess(decoder=options.decoder, dedupe=options.dedupe, main=DECODER)
    ) as worker:
        for file in files:
            settled = catalog.settle_unopened(file)
            decision = settled or catalog.decide(file, probe(worker, file.path))
            if isinstance(decision, Settled):
                count_settled(decision, result)
                continue
            with contextlib.suppress(VideoError, StoreError):  # the next one may do for the trial
                trial = trial or _try(worker, model, options)
            if decision.decodes_from < math.inf:
                duration += decision.row.duration or 0.0
            if decision.start == math.inf:
                result.read += 1
                continue
            result.videos += 1
            result.frames += _estimate_frames(decision.row, options.sampler)
    result.hours = duration / 3600
    if trial:
        result.size = round(result.frames * trial.size)
        result.seconds = duration * trial.decoding / cores() + result.frames * trial.embedding
    return result


def _estimate_frames(row: Video, sampler: Sampler) -> int:
    """Estimate how many frames are sampled of a video: no more than it has, as a time-lapse."""
    seconds = row.duration or 0.0
    sampled = sampler.estimate_frames(seconds)
    return min(sampled, max(1, round(seconds * row.fps))) if row.fps else sampled


@dataclass(frozen=True)
class _Trial:
    decoding: float  # seconds of one core per second of video
    embedding: float  # seconds per frame, on all cores
    size: float  # bytes per frame


def _try(worker: DecoderProcess, model: Model, options: IndexOptions) -> _Trial:
    """Decode the opened video for a moment, and embed what came of it."""
    frames: list[SampledFrame] = []
    started = time.perf_counter()
    reached = started
    sampler = options.sampler.name
    views = options.views.name
    reads_screen = any(reading.source == "screen" for reading in options.read)
    for item in worker.sample(
        sampler, views, model.size, threads=1, resize=model.resize, read_screen=reads_screen
    ):
        if not isinstance(item, SampledFrame):
            continue
        frames.append(item)
        reached = time.perf_counter()
        if reached - started > _TRIAL_SECONDS:
            break
    pixels = np.concatenate([frame.pixels for frame in frames])
    model.embed_images(pixels[:1])  # loads the model, which is not to be counted
    embedding = time.perf_counter()
    model.embed_images(pixels)
    embedding = (time.perf_counter() - embedding) / len(frames)
    thumbnails = sum(len(frame.thumbnail) for frame in frames)
    vectors = len(pixels) * model.dimensions * _BYTES_PER_NUMBER
    covered = max(frames[-1].t - frames[0].t, 1.0)
    return _Trial((reached - started) / covered, embedding, (thumbnails + vectors) / len(frames))
