"""The pipeline: decode ∥ embed ∥ write, resumable.

Threads, one per decoder process, feed sampled frames into one bounded queue; the calling thread
embeds them in batches that cross video borders, writes them and commits. What is committed is
never lost, and a video is visible only as far as it is whole.
"""

import math
import queue
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from framefind.files.names import stored_path
from framefind.indexing.decide import Catalog
from framefind.indexing.decoders import Begun, Decoded, Decoders, Ended, Options
from framefind.indexing.embed import BATCH, Embedder
from framefind.indexing.pace import Pace
from framefind.indexing.walk import File
from framefind.models.base import Model
from framefind.processes import cores
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import OnProgress, Progress, Report, Video

_COMMIT_SECONDS = 10.0
COMMIT_FRAMES = 5000
"""Frames that are worth a data file and a commit."""
SEGMENT_SECONDS = 600.0
"""How much of a video a segment holds at most."""


@dataclass
class _Open:
    """A video that is being indexed.

    Each commit ends its segment, so that a segment lies in one data file. Only a video that shows
    nothing older is published before it is whole.
    """

    file: File
    row: Video
    segments: list[str]
    segment_start: float
    progressive: bool  # whether it may be published before it is whole
    frames: int
    last: float
    segment: str = field(default_factory=new_segment)
    fresh: bool = True  # whether nothing is written to the segment yet

    def end_segment(self) -> None:
        if not self.fresh:
            self.segments.append(self.segment)
            self.segment, self.fresh = new_segment(), True

    def as_row(self, status: str, error: str | None = None) -> Video:
        return replace(
            self.row,
            segments=list(self.segments),
            frames=self.frames,
            indexed_until=self.last,
            indexed_at=datetime.now(UTC),
            status=status,
            error=error,
        )


class Indexer:
    """One run of `index`: takes what the decoders give, embeds, writes and commits it."""

    def __init__(
        self,
        model: Model,
        catalog: Catalog,
        options: Options,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._model, self._catalog = model, catalog
        self._embedder = Embedder(model)
        self._options = options
        self._on_progress = on_progress
        self._report = Report()
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._open: dict[str, _Open] = {}
        self._batch: list[Decoded | Ended] = []
        self._batch_views = 0
        self._uncommitted = 0
        self._committed_at = self._told_at = self._started = time.monotonic()
        self._done = self._done_bytes = self._total = 0

    def run(self, files: Sequence[File], tables: Callable[[], Tables]) -> Report:
        """Index the files into what `tables` gives, which may take a while: decoding begins before.

        Ctrl-C commits what is embedded, then raises KeyboardInterrupt.
        """
        began = time.process_time()
        todo = [file for file in files if has_to_be_opened(file, self._catalog, self._report)]
        self._total = len(todo)
        self._pace = Pace(sum(file.size + 1 for file in todo))
        model = self._model
        decoders = Decoders(todo, self._catalog, self._options, model.size, model.resize)
        try:
            self._tables = tables()
            self._writer = self._tables.writer()
            self._take_all(decoders)
        finally:
            decoders.stop()
        self._report.seconds = time.monotonic() - self._started
        self._report.fallback = decoders.fallback
        self._account(decoders.spent, time.process_time() - began)
        return self._report

    def _take_all(self, decoders: Decoders) -> None:
        """Take what the decoders give until nothing is left, or until Ctrl-C."""
        try:
            with interruptible() as interrupted:
                while self._done < self._total and not interrupted.is_set():
                    self._step(decoders)
                self._embed(decoders)
                removed = [] if interrupted.is_set() else self._catalog.settle()
                self._commit(decoders, removed)
            if interrupted.is_set():
                raise KeyboardInterrupt
        finally:
            decoders.stop()  # they change the catalog
            self._writer.abort()
            self._catalog.save()

    def _step(self, decoders: Decoders) -> None:
        """Take one item; embed when a batch is full or the decoders have nothing ready."""
        try:
            item = decoders.items.get(timeout=0 if self._batch else 0.5)
        except queue.Empty:
            item = None
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Begun):
            self._begin(item)
        elif item is not None:
            self._batch.append(item)
            self._batch_views += len(item.frame.pixels) if isinstance(item, Decoded) else 0
        if item is None or self._batch_views >= BATCH:
            self._embed(decoders)
            waited = time.monotonic() - self._committed_at
            if self._uncommitted >= COMMIT_FRAMES or waited >= _COMMIT_SECONDS:
                self._commit(decoders)

    def _begin(self, begun: Begun) -> None:
        row, goes_on = begun.row, begun.start > -math.inf
        self._open[row.video_id] = _Open(
            file=begun.file,
            row=replace(row, sampler=self._options.sampler, views=self._options.views),
            segments=list(row.segments) if goes_on else [],
            segment_start=max(0.0, begun.start),
            progressive=goes_on or not row.segments,
            frames=row.frames if goes_on else 0,
            last=row.indexed_until if goes_on else -math.inf,
        )

    def _embed(self, decoders: Decoders) -> None:
        """Embed the batch, and write its frames and endings in their order."""
        decoded = [item for item in self._batch if isinstance(item, Decoded)]
        with self._timed("embed"):
            vectors = iter(self._embedder.embed([(one.video_id, one.frame) for one in decoded]))
        for item in self._batch:
            if isinstance(item, Decoded):
                self._write(item, next(vectors))
            else:
                self._end(decoders, item)
        self._batch, self._batch_views = [], 0
        self._tell()

    def _write(self, item: Decoded, vectors: NDArray[np.float32]) -> None:
        video, frame = self._open[item.video_id], item.frame
        if frame.t - video.segment_start >= SEGMENT_SECONDS:
            video.end_segment()
            video.segment_start = frame.t
        with self._timed("write"):
            self._writer.add(
                FrameRow(
                    item.video_id, video.segment, frame.t, frame.thumbnail, frame.boxes, vectors
                )
            )
        self._report.video_seconds += frame.t - max(0.0, video.last)
        video.last, video.fresh = frame.t, False
        video.frames += 1
        self._report.frames += 1
        self._uncommitted += 1

    def _end(self, decoders: Decoders, ended: Ended) -> None:
        path = stored_path(ended.file.path)
        began = ended.outcome in ("decoded", "failed", "broken off")  # others may be open elsewhere
        video = self._open.pop(ended.video_id, None) if began else None
        if began:
            self._embedder.forget(ended.video_id)
        self._done += 1
        self._done_bytes += ended.file.size + 1
        report = self._report
        if video and ended.duration:
            video.row = replace(video.row, duration=ended.duration)
        if ended.outcome == "decoded" and video:
            rest = (video.row.duration or 0.0) - max(0.0, video.last)
            report.video_seconds += max(0.0, rest)
            self._publish(decoders, video, ended.trouble)
        elif ended.outcome == "failed" and video and video.frames and video.progressive:
            self._publish(decoders, video, ended.trouble)  # what was decoded before is kept
        elif ended.outcome == "broken off":
            report.failed[path] = ended.trouble or "unknown"
            if video:
                self._note_so_far(decoders, video)
        elif ended.outcome == "failed":
            report.failed[path] = ended.trouble or "unknown"
            if video:
                with decoders.lock:
                    self._catalog.fail(ended.file, ended.video_id, report.failed[path])
        elif ended.outcome == "moved":
            report.moved.append(path)
        elif ended.outcome == "copied":
            report.copied.append(path)
        else:
            report.unchanged += ended.outcome == "touched"
            report.passed_over += ended.outcome == "passed over"
        if ended.trouble:
            self._tell(path, ended.trouble)

    def _publish(self, decoders: Decoders, video: _Open, trouble: str | None) -> None:
        """Note the row of a video that is done with; the next commit publishes it."""
        video.end_segment()
        path = stored_path(video.file.path)
        self._report.indexed.append(path)
        if trouble:
            self._report.partial[path] = trouble
        with decoders.lock:
            self._note(video.as_row("partial" if trouble else "indexed", trouble))

    def _note_so_far(self, decoders: Decoders, video: _Open) -> None:
        """Note how far a video is that is not whole, so that the next run goes on there."""
        if not video.fresh:
            video.end_segment()
            if video.progressive:
                with decoders.lock:
                    self._note(video.as_row("indexing"))

    def _note(self, row: Video) -> None:
        """Note a row for the next commit, with the copies that were found since it was begun."""
        self._catalog.put(replace(row, copies=self._catalog.row(row.video_id).copies))

    def _commit(self, decoders: Decoders, removed: Sequence[str] = ()) -> None:
        with self._timed("write"):
            self._publish_all(decoders, removed)

    def _publish_all(self, decoders: Decoders, removed: Sequence[str]) -> None:
        """Append what is written and publish the rows that go with it."""
        files = self._writer.close()
        for video in self._open.values():
            self._note_so_far(decoders, video)
        with decoders.lock:
            rows = self._catalog.take_changes()
        if files or rows or removed:
            self._tables.publish(files, rows, removed)
        self._writer = self._tables.writer()
        self._uncommitted = 0
        self._committed_at = time.monotonic()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self._spent[stage] += time.process_time() - began

    def _account(self, decoders: Mapping[str, float], own: float) -> None:
        """Where the time of all cores went; `own` is this process's processor time."""
        known = defaultdict(float, {**decoders, **self._spent})
        known["rest"] = max(0.0, own - sum(self._spent.values()))
        idle = self._report.seconds * cores() - sum(known.values())
        stages = ("probe", "decode", "scale", "send", "embed", "write", "rest")
        self._report.profile = {stage: known[stage] for stage in stages} | {"wait": max(0.0, idle)}

    def _tell(self, path: str = "", trouble: str | None = None) -> None:
        """Report progress, at most ten times a second unless there is trouble."""
        now = time.monotonic()
        if not self._on_progress or (trouble is None and now - self._told_at < 0.1):
            return
        self._told_at = now
        seconds = now - self._started
        done = self._done_bytes + sum(
            video.file.size * min(1.0, max(0.0, video.last) / video.row.duration)
            for video in self._open.values()
            if video.row.duration
        )
        current = path or next((video.row.path for video in self._open.values()), "")
        self._on_progress(
            Progress(
                self._done,
                self._total,
                self._report.frames,
                self._report.video_seconds,
                seconds,
                self._pace.left(done),
                current,
                trouble,
            )
        )


def has_to_be_opened(file: File, catalog: Catalog, report: Report) -> bool:
    """Whether a file has to be opened; counts it in the report if not."""
    if file.error is not None:
        report.failed[stored_path(file.path)] = file.error
        return False
    verdict = catalog.look(file)
    report.unchanged += verdict == "unchanged"
    report.failed_before += verdict == "failed"
    report.passed_over += verdict == "passed over"
    return verdict == "decode"


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that it never falls into a commit."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals reach the main thread only
        return
    default = signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, default)  # the second one is not waited for
        interrupted.set()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, default)
