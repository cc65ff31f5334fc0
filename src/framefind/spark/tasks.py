"""What runs inside a Python worker of Spark: probe, decode ∥ embed, write.

One generator pipeline: spans of videos → sampled frames → frames with vectors → rows, or data
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
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from framefind.errors import ModelError, StoreError, VideoError
from framefind.indexing.decisions import Probed, describe_error, probe
from framefind.indexing.decoders import DECODER
from framefind.indexing.embed import BATCH, Embedder
from framefind.indexing.options import IndexOptions
from framefind.indexing.pipeline import COMMIT_FRAMES
from framefind.indexing.spans import MIN_SPAN_SECONDS, Span, decode_span
from framefind.indexing.video_row import Ending, Written
from framefind.models import registry
from framefind.models.base import Model
from framefind.tables.data_files import DataFile
from framefind.tables.rows import FrameRow
from framefind.tables.tables import Tables
from framefind.video.process import DecoderProcess, SampledFrame, ScreenCues

_MAX_FRAMES_AHEAD = 32  # between decoding and embedding

T = TypeVar("T")
Decoded = SampledFrame | ScreenCues | Ending
"""What decoding gives of a span; its ending comes last."""

Opener = Callable[[str], Model]
"""Opens a model on a device."""


@dataclass(frozen=True)
class VideoSpan:
    """A video, or what lies in it from `start` until before `end`, in seconds.

    With `read_screen`, what is written in its frames is read, too.
    """

    path: str
    video_id: str
    start: float = -math.inf
    end: float = math.inf
    error: str | None = None  # why there is nothing to decode
    read_screen: bool = False


@dataclass(frozen=True)
class Embedded:
    """A frame with its vectors, float32 (views, dimensions)."""

    frame: SampledFrame
    vectors: NDArray[np.float32]


class WrittenSpan(NamedTuple):
    """What a task wrote of a span, how the span ended, and what was written in its frames."""

    written: Written
    ending: Ending
    screen: list[ScreenCues]


@dataclass(frozen=True)
class Job:
    """What a task does with its spans: decode by `options`, embed with what `opener` opens."""

    opener: Opener
    options: IndexOptions
    device: str = "auto"


def load_model(name: str, precision: str, device: str) -> Model:
    """Load the model of that name."""
    return registry.load(name, device, precision, threads=_cores())


def reopen_model(fingerprint: dict[str, str], precision: str, device: str) -> Model:
    """Load the model that the driver has. Raises ModelError when this machine has another."""
    model = registry.reopen(fingerprint, device, precision, threads=_cores())
    if not registry.interchangeable(fingerprint, model.fingerprint):
        raise ModelError(
            f"model {model.name}: {socket.gethostname()} has other weights or preprocessing than "
            "the driver; install the same versions on all machines"
        )
    return model


# -- the steps


def probe_all(paths: Iterable[str], device: str, cut: bool) -> Iterator[Probed]:
    """Open files, one after the other, to see what they are.

    With `cut`, a video has the times in seconds where it may be cut, about `MIN_SPAN_SECONDS`
    apart.
    """
    with borrow_decoder(device, 0.0) as worker:
        for path in paths:
            probed = probe(worker, path)
            yield _with_cuts(worker, path, probed) if cut and probed.facts else probed


def _with_cuts(worker: DecoderProcess, path: str, probed: Probed) -> Probed:
    try:
        return replace(probed, cuts=tuple(worker.cuts(MIN_SPAN_SECONDS)))
    except VideoError:  # decoding meets it again
        return probed
    except StoreError as error:
        return Probed("unreachable", error=describe_error(path, error))


def sample(
    spans: Iterable[VideoSpan], options: IndexOptions, model: Model, threads: int
) -> Generator[tuple[VideoSpan, Decoded]]:
    """Yield the sampled frames of the spans in their order, their text, and how each ended."""
    with borrow_decoder(options.decoder, options.dedupe) as worker:
        for span in spans:
            if span.error:
                yield span, Ending(span.error, "failed")
                continue
            times = Span(0, span.start, span.end)
            for item in decode_span(
                worker,
                span.path,
                times,
                options,
                model,
                threads,
                span.video_id,
                read_screen=span.read_screen,
            ):
                yield span, item


def embed(
    frames: Iterable[tuple[VideoSpan, Decoded]], model: Model
) -> Iterator[tuple[VideoSpan, Embedded | ScreenCues | Ending]]:
    """Embed in batches that cross the borders of spans."""
    embedder = Embedder(model)
    batch: list[tuple[VideoSpan, Decoded]] = []
    views = 0

    def flush() -> Iterator[tuple[VideoSpan, Embedded | ScreenCues | Ending]]:
        vectors = iter(
            embedder.embed(
                [(span.path, item) for span, item in batch if isinstance(item, SampledFrame)]
            )
        )
        for span, item in batch:
            if isinstance(item, SampledFrame):
                if (rows := next(vectors)) is not None:
                    yield span, Embedded(item, rows)
            elif isinstance(item, Ending):
                yield span, embedder.finish(span.path, item)
            else:
                yield span, item

    for span, item in frames:
        batch.append((span, item))
        views += len(item.pixels) if isinstance(item, SampledFrame) else 0
        if views >= BATCH:
            yield from flush()
            batch = []
            views = 0
    yield from flush()


def run(
    spans: Iterable[VideoSpan], job: Job
) -> Iterator[tuple[VideoSpan, Embedded | ScreenCues | Ending]]:
    """Decode in a process of its own, which a thread reads ahead, and embed meanwhile."""
    model = job.opener(_device(job.device))  # loaded once per Python worker and device
    frames = sample(spans, job.options, model, _cores())
    with closing(read_ahead(frames, _MAX_FRAMES_AHEAD)) as ready:
        yield from embed(ready, model)


def write(
    items: Iterable[tuple[VideoSpan, Embedded | ScreenCues | Ending]], library: str
) -> tuple[list[DataFile], list[WrittenSpan]]:
    """Write frames to data files that nobody sees yet; return for every span what became of it.

    Ids of segments are new at every attempt, so that a task that is run again, or twice, leaves
    nothing but files that are never published.
    """
    tables = Tables(library)
    files: list[DataFile] = []
    results: list[WrittenSpan] = []
    written = Written()
    screen: list[ScreenCues] = []
    writer = tables.writer()
    try:
        for span, item in items:
            if isinstance(item, ScreenCues):
                screen.append(item)
                continue
            if isinstance(item, Ending):
                written.end_segment()
                results.append(WrittenSpan(written, item, screen))
                written = Written()
                screen = []
                continue
            if writer.rows >= COMMIT_FRAMES:
                files += writer.close()
                writer = tables.writer()
                written.end_segment()
            segment = written.add_frame(item.frame.t, item.frame.cuts)
            writer.add(frame_row(span, segment, item))
        files += writer.close()
    finally:
        writer.abort()
    return files, results


def frame_row(span: VideoSpan, segment: str, item: Embedded) -> FrameRow:
    """Return a row of the table `frames`."""
    frame = item.frame
    return FrameRow(span.video_id, segment, frame.t, frame.thumbnail, frame.boxes, item.vectors)


def read_ahead(items: Generator[T], depth: int) -> Generator[T]:
    """Yield the same items, which a thread makes up to `depth` ahead of their reader."""
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
    """Probe the paths of tasks, for `mapInArrow` over their numbers: a Probed per path, as JSON."""
    for number in task_numbers(batches):
        probed = probe_all(tasks[number], decoder, cut)
        yield as_answer(number, [asdict(result) for result in probed])


def write_task(
    batches: Iterable[Any], tasks: Sequence[Sequence[VideoSpan]], job: Job, library: str
) -> Iterator[Any]:
    """Write the spans of tasks, for `mapInArrow` over their numbers.

    Answers, as JSON, with the data files and with what became of each span.
    """
    for number in task_numbers(batches):
        files, results = write(run(tasks[number], job), library)
        spans = [
            {
                "written": asdict(span.written),
                "ending": asdict(span.ending),
                "screen": [*map(asdict, span.screen)],
            }
            for span in results
        ]
        yield as_answer(number, {"files": [asdict(file) for file in files], "spans": spans})


ANSWER = "task long, answer string"


def task_numbers(batches: Iterable[Any]) -> Iterator[int]:
    """Yield the numbers of the tasks that Spark gives."""
    for batch in batches:
        yield from batch.column(0).to_pylist()


def as_answer(number: int, content: Any) -> Any:
    """Return the answer of a task, for the driver: its content as JSON."""
    import pyarrow as pa

    return pa.RecordBatch.from_pydict({"task": [number], "answer": [json.dumps(content)]})


# -- what a Python worker keeps


_idle: dict[tuple[str, float], list[DecoderProcess]] = {}


@contextmanager
def borrow_decoder(device: str, dedupe: float) -> Iterator[DecoderProcess]:
    """Give a decoder process, which the next task takes over; `device` is what decodes."""
    idle = _idle.setdefault((device, dedupe), [])
    worker = idle.pop() if idle else DecoderProcess(decoder=device, dedupe=dedupe, main=DECODER)
    worker.path = ""  # what the task before has opened may have changed since
    try:
        yield worker
    except BaseException:
        worker.close()
        raise
    idle.append(worker)


def _cores() -> int:
    """Return how many cores the task may use; 0 stands for all, outside of Spark."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.cpus() if context else 0


def _device(device: str) -> str:
    """Return the GPU that Spark has given to the task, if any; else `device`."""
    from pyspark import TaskContext

    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is None or device not in ("auto", "cuda"):
        return device
    return f"cuda:{gpu.addresses[0]}"
