"""What runs inside a Python worker of Spark: probe, decode ∥ embed, write.

One generator pipeline: pieces of videos → sampled frames → frames with vectors → rows, or data
files written straight under the library's table, of which only the log entries leave the task. A
video that cannot be decoded is an answer like any other; an exception here is a bug or a broken
machine, and Spark runs the task again.
"""

import json
import math
import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, astuple, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ModelError, NotAVideoError, StoreError, VideoError
from framefind.indexing.decoders import Options, reason
from framefind.indexing.embed import BATCH, Embedder
from framefind.indexing.pipeline import COMMIT_FRAMES, SEGMENT_SECONDS
from framefind.indexing.spans import LENGTH
from framefind.models import registry
from framefind.models.base import Model
from framefind.tables.data_files import DataFile
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.tables import Tables
from framefind.video.facts import Facts
from framefind.video.identity import video_id
from framefind.video.process import SampledFrame, Worker

_AHEAD = 32  # frames that wait between decoding and embedding

T = TypeVar("T")
Opener = Callable[[str], Model]
"""Opens a model on a device."""


@dataclass(frozen=True)
class Probed:
    """What a file is found to be: a video with its facts and where it may be cut, or an error.

    `cuts` are seconds, about `LENGTH` apart. `kind` tells a video from a file that is none
    (`not a video`) and from one that cannot be decoded (`failed`).
    """

    path: str
    kind: str
    video_id: str = ""
    facts: Facts | None = None
    cuts: tuple[float, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Piece:
    """A video, or what lies in it from `start` until before `end`, in seconds."""

    path: str
    video_id: str
    start: float = -math.inf
    end: float = math.inf
    error: str | None = None  # why there is nothing to decode


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: the segments that hold its frames, and the last one's time.

    `trouble` says what could not be decoded; if that `failed` the piece, nothing follows it.
    `duration` is the whole video's in seconds, as its frames tell.
    """

    segments: tuple[str, ...] = ()
    frames: int = 0
    last: float | None = None
    trouble: str | None = None
    failed: bool = False
    duration: float | None = None


@dataclass(frozen=True)
class Embedded:
    """A frame with its vectors, float32 (views, dimensions)."""

    frame: SampledFrame
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class End:
    """A piece is done with; see Outcome."""

    trouble: str | None = None
    failed: bool = False
    duration: float | None = None


@dataclass(frozen=True)
class Job:
    """What a task does with its pieces: decode by `options`, embed with what `opener` opens."""

    opener: Opener
    options: Options
    device: str = "auto"


def named(name: str, precision: str, device: str) -> Model:
    """The model of that name."""
    return registry.load(name, device, precision, threads=_cores())


def same(fingerprint: dict[str, str], precision: str, device: str) -> Model:
    """The model that the driver has. Raises ModelError when this machine has another."""
    model = registry.reopen(fingerprint, device, precision, threads=_cores())
    if not registry.interchangeable(fingerprint, model.fingerprint):
        raise ModelError(
            f"model {model.name}: {socket.gethostname()} has other weights or preprocessing than "
            "the driver; install the same versions on all machines"
        )
    return model


# -- the steps


def probe(paths: Iterable[str], decoder: str, cut: bool) -> Iterator[Probed]:
    """Look into files, one after the other; `cut` tells whether to look for cuts."""
    with _decoder(decoder, 0.0) as worker:
        for path in paths:
            try:
                facts, key = worker.open(path)
                cuts = worker.cuts(LENGTH) if cut else []
            except (VideoError, StoreError) as error:
                if isinstance(error, NotAVideoError):
                    yield Probed(path, "not a video", error=reason(path, error))
                else:
                    yield Probed(path, "failed", video_id(path), error=reason(path, error))
            else:
                yield Probed(path, "video", key, facts, tuple(cuts))


def sampled(
    pieces: Iterable[Piece], options: Options, size: int, threads: int, resize: str = "bilinear"
) -> Generator[tuple[Piece, SampledFrame | End]]:
    """The sampled frames of the pieces in their order, and the end of each."""
    with _decoder(options.decoder, options.dedupe) as worker:
        for piece in pieces:
            if piece.error:
                yield piece, End(piece.error, failed=True)
                continue
            try:
                _open(worker, piece)
                for frame in worker.frames(
                    options.sampler, options.views, size, piece.start, threads, piece.end, resize
                ):
                    yield piece, frame
                end = End(worker.partial, duration=worker.duration)
            except (VideoError, StoreError) as error:
                end = End(reason(piece.path, error), failed=True)
            yield piece, end


def embedded(
    frames: Iterable[tuple[Piece, SampledFrame | End]], model: Model
) -> Iterator[tuple[Piece, Embedded | End]]:
    """Embed in batches that cross the borders of pieces."""
    embedder = Embedder(model)
    batch: list[tuple[Piece, SampledFrame | End]] = []
    views = 0

    def flush() -> Iterator[tuple[Piece, Embedded | End]]:
        vectors = iter(
            embedder.embed([(p.path, item) for p, item in batch if isinstance(item, SampledFrame)])
        )
        for piece, item in batch:
            if isinstance(item, End):
                embedder.forget(piece.path)
                yield piece, item
            else:
                yield piece, Embedded(item, next(vectors))

    for piece, item in frames:
        batch.append((piece, item))
        views += 0 if isinstance(item, End) else len(item.pixels)
        if views >= BATCH:
            yield from flush()
            batch, views = [], 0
    yield from flush()


def run(pieces: Iterable[Piece], job: Job) -> Iterator[tuple[Piece, Embedded | End]]:
    """Decode in a process of its own, which a thread reads ahead, and embed meanwhile."""
    model = job.opener(_device(job.device))  # loaded once per Python worker and device
    frames = sampled(pieces, job.options, model.size, _cores(), model.resize)
    with closing(ahead(frames, _AHEAD)) as ready:
        yield from embedded(ready, model)


def write(
    items: Iterable[tuple[Piece, Embedded | End]], library: str
) -> tuple[list[DataFile], list[Outcome]]:
    """Write frames to data files that nobody sees yet; an outcome per piece.

    Ids of segments are new at every try, so that a task that is run again, or twice, leaves
    nothing but files that are never published.
    """
    tables = Tables(library)
    files: list[DataFile] = []
    outcomes: list[Outcome] = []
    segments: list[str] = []
    frames, last, began = 0, None, -math.inf
    writer = tables.writer()
    try:
        for piece, item in items:
            if isinstance(item, End):
                outcomes.append(Outcome(tuple(segments), frames, last, *astuple(item)))
                segments, frames, last = [], 0, None
                continue
            t = item.frame.t
            if writer.rows >= COMMIT_FRAMES:
                files += writer.close()
                writer, began = tables.writer(), -math.inf  # a segment lies in one data file
            if not segments or t - began >= SEGMENT_SECONDS:
                segments.append(new_segment())
                began = t
            writer.add(frame_row(piece, segments[-1], item))
            frames, last = frames + 1, t
        files += writer.close()
    finally:
        writer.abort()
    return files, outcomes


def frame_row(piece: Piece, segment: str, item: Embedded) -> FrameRow:
    """A row of the table `frames`."""
    frame = item.frame
    return FrameRow(piece.video_id, segment, frame.t, frame.thumbnail, frame.boxes, item.vectors)


def ahead(items: Generator[T], depth: int) -> Generator[T]:
    """The same items, made by a thread up to `depth` before they are asked for."""
    ready: queue.Queue[T | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    break
            put(None)
        except BaseException as error:
            put(error)
        finally:
            items.close()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


# -- tasks of `index`: tuples of plain values in, lines of JSON out


def probe_task(
    batches: Iterable[Any], tasks: Sequence[Sequence[str]], decoder: str, cut: bool
) -> Iterator[Any]:
    """For `mapInArrow` over the numbers of tasks: a Probed per path, as JSON."""
    for number in _numbers(batches):
        found = [asdict(one) for one in probe(tasks[number], decoder, cut)]
        yield _answer(number, found)


def write_task(
    batches: Iterable[Any], tasks: Sequence[Sequence[Piece]], job: Job, library: str
) -> Iterator[Any]:
    """For `mapInArrow` over the numbers of tasks: data files, and an Outcome per piece, as JSON."""
    for number in _numbers(batches):
        files, outcomes = write(run(tasks[number], job), library)
        yield _answer(
            number,
            {"files": [asdict(file) for file in files], "outcomes": [*map(asdict, outcomes)]},
        )


ANSWER = "task long, answer string"


def _numbers(batches: Iterable[Any]) -> Iterator[int]:
    for batch in batches:
        yield from batch.column(0).to_pylist()


def _answer(number: int, content: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_pydict({"task": [number], "answer": [json.dumps(content)]})


# -- what a Python worker keeps


_idle: dict[tuple[str, float], list[Worker]] = {}


@contextmanager
def _decoder(decoder: str, dedupe: float) -> Iterator[Worker]:
    """A decoder process, which the next task takes over."""
    idle = _idle.setdefault((decoder, dedupe), [])
    worker = idle.pop() if idle else Worker(decoder=decoder, dedupe=dedupe)
    worker.path = ""  # what the task before has opened may have changed since
    try:
        yield worker
    except BaseException:
        worker.close()
        raise
    idle.append(worker)


def _open(worker: Worker, piece: Piece) -> None:
    """Open the video of a piece, unless it is open. Raises VideoError."""
    if worker.path != piece.path:
        _, key = worker.open(piece.path)
        if key != piece.video_id:
            worker.path = ""
            raise VideoError(f"{piece.path}: the file was changed while it was read")


def _cores() -> int:
    """The cores that the task may use; all of them where Spark is not asked."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.cpus() if context else 0


def _device(device: str) -> str:
    """The GPU that Spark has given to the task, if any; else the device that was asked for."""
    from pyspark import TaskContext

    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is None or device not in ("auto", "cuda"):
        return device
    return f"cuda:{gpu.addresses[0]}"
