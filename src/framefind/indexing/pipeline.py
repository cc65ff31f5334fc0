"""The pipeline: decode ∥ embed ∥ write, resumable.

Threads, one per decoder process, feed sampled frames into one bounded queue; the calling thread
embeds them in batches that cross video borders, writes them and commits. What is committed is
never lost, and a video is visible only as far as it is whole.
"""

import queue
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from framefind.files.names import stored_path
from framefind.indexing.decide import Catalog
from framefind.indexing.decisions import Pending, Settled, count_settled
from framefind.indexing.decoders import Cues, Decoded, DecoderPool, Ended, WordsEnded
from framefind.indexing.embed import BATCH, Embedder
from framefind.indexing.options import IndexOptions
from framefind.indexing.pace import Pace
from framefind.indexing.readers import Readers
from framefind.indexing.video_row import VideoRow
from framefind.indexing.walk import File
from framefind.models.base import Model
from framefind.processes import cores
from framefind.reports import OnProgress, Progress, Report
from framefind.tables.rows import CueRow, FrameRow
from framefind.tables.tables import Tables

COMMIT_FRAMES = 5000
"""Frames that are worth a data file and a commit."""

_MAX_BATCH_ITEMS = 256  # frames, cues and ends
_CUES_PER_FRAME = 10  # that are worth as much
_COMMIT_SECONDS = 10.0
_PROGRESS_SECONDS = 0.1  # between two reports of progress


class Indexer:
    """One run of `index`: takes what the decoders give, embeds, writes and commits it."""

    def __init__(
        self,
        tables: Tables,
        catalog: Catalog,
        model: Model,
        options: IndexOptions,
        readers: Readers,
        on_progress: OnProgress | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Begin a run; one that `stop` ends commits what is embedded, and reports so far."""
        self._tables = tables
        self._catalog = catalog
        self._model = model
        self._options = options
        self._readers = readers
        self._on_progress = on_progress
        self._stop = stop or threading.Event()
        self._embedder = Embedder(model)
        self._writer = tables.writer()
        self._report = Report()
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._rows: dict[str, VideoRow] = {}  # of the videos that are being decoded
        self._batch: list[Decoded | Cues | WordsEnded | Ended | Settled] = []
        self._batch_views = 0
        self._uncommitted = 0
        self._cues: list[CueRow] = []
        self._started = time.monotonic()
        self._committed_at = self._started
        self._told_at = self._started
        self._total = 0
        self._done = 0
        self._done_bytes = 0

    def run(self, files: Sequence[File]) -> Report:
        """Index the files. Ctrl-C commits what is embedded, then raises KeyboardInterrupt."""
        began = time.process_time()
        unsettled = [file for file in files if not self._settle_unopened(file)]
        self._total = len(unsettled)
        self._pace = Pace(sum(file.size + 1 for file in unsettled))
        pool = DecoderPool(
            unsettled, self._catalog, self._options, self._model, self._readers.recogniser
        )
        try:
            self._take_all(pool)
        finally:
            pool.stop()
        self._report.seconds = time.monotonic() - self._started
        self._account(pool.spent, time.process_time() - began)
        return self._report

    def _settle_unopened(self, file: File) -> bool:
        """Count a file that need not be opened; False if it has to be."""
        settled = self._catalog.settle_unopened(file)
        if settled:
            count_settled(settled, self._report)
        return settled is not None

    def _take_all(self, pool: DecoderPool) -> None:
        """Take what the decoders give until nothing is left, or until Ctrl-C."""
        try:
            with interruptible() as interrupted:
                while self._done < self._total and not (
                    interrupted.is_set() or self._stop.is_set()
                ):
                    self._step(pool)
                self._embed()
                removed = self._catalog.settle() if self._done == self._total else []
                self._commit(removed)
            if interrupted.is_set():
                raise KeyboardInterrupt
        finally:
            pool.stop()  # it changes the catalog
            self._writer.abort()
            self._catalog.save()

    def _step(self, pool: DecoderPool) -> None:
        """Take one item; embed when a batch is full or the decoders have nothing ready."""
        try:
            item = pool.items.get(timeout=0 if self._batch else 0.5)
        except queue.Empty:
            item = None
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Pending):
            self._rows[item.row.video_id] = VideoRow(item, self._tables.read_cues)
        elif item is not None:
            self._batch.append(item)
            self._batch_views += len(item.frame.pixels) if isinstance(item, Decoded) else 0
        if item is None or self._batch_views >= BATCH or len(self._batch) >= _MAX_BATCH_ITEMS:
            self._embed()
            waited = time.monotonic() - self._committed_at
            uncommitted = self._uncommitted + len(self._cues) // _CUES_PER_FRAME
            if uncommitted >= COMMIT_FRAMES or waited >= _COMMIT_SECONDS:
                self._commit()

    def _embed(self) -> None:
        """Embed the batch, and write its frames and endings in their order."""
        frames = [(item.video_id, item.frame) for item in self._batch if isinstance(item, Decoded)]
        with self._timed("embed"):
            vectors = iter(self._embedder.embed(frames))
        for item in self._batch:
            if isinstance(item, Decoded):
                if (rows := next(vectors)) is not None:
                    self._write(item, rows)
            elif isinstance(item, Cues):  # in order, so that words are never ahead of frames
                video = self._rows[item.video_id]
                self._cues += video.add_cues(item.source, item.cues, item.until)
            elif isinstance(item, WordsEnded):
                self._end_words(item)
            elif isinstance(item, Ended):
                self._end(item)
            else:
                count_settled(item, self._report)
                self._count_done(item.file, item.error)
        self._batch = []
        self._batch_views = 0
        self._tell()

    def _write(self, item: Decoded, vectors: NDArray[np.float32]) -> None:
        frame = item.frame
        segment = self._rows[item.video_id].written.add_frame(frame.t, frame.cuts)
        with self._timed("write"):
            self._writer.add(
                FrameRow(item.video_id, segment, frame.t, frame.thumbnail, frame.boxes, vectors)
            )
        self._uncommitted += 1

    def _end(self, ended: Ended) -> None:
        video = self._rows[ended.video_id]
        ending = self._embedder.finish(ended.video_id, ended.ending)
        if "screen" in video.words:
            is_whole = ending.stopped != "unreachable"
            self._end_words(WordsEnded(ended.video_id, "screen", None, is_whole))
        video.end(ending, self._catalog, self._report)
        self._finish(video, ending.trouble)

    def _end_words(self, ended: WordsEnded) -> None:
        video = self._rows[ended.video_id]
        self._cues += video.end_words(
            ended.source, ended.trouble, ended.whole, self._catalog, self._report
        )
        self._finish(video, ended.trouble)

    def _finish(self, video: VideoRow, trouble: str | None) -> None:
        """Count a video all of whose parts have ended; else tell what trouble one had."""
        if video.is_done:
            self._rows.pop(video.row.video_id)
            if not video.embeds:
                self._report.read.append(stored_path(video.file.path))
            self._count_done(video.file, trouble)
        elif trouble:
            self._tell(stored_path(video.file.path), trouble)

    def _count_done(self, file: File, trouble: str | None) -> None:
        self._done += 1
        self._done_bytes += file.size + 1
        if trouble:
            self._tell(stored_path(file.path), trouble)

    def _commit(self, removed: Sequence[str] = ()) -> None:
        """Append what is written and publish the rows that go with it."""
        with self._timed("write"):
            files = self._writer.close()
            for video in self._rows.values():
                self._cues += video.release_cues()
                video.note_progress(self._catalog)
            cues = self._tables.write_cues(self._cues)
            rows = self._catalog.take_changes()
            if files or rows or removed or cues:
                self._tables.publish(files, rows, removed, cues=cues)
            self._cues = []
            self._writer = self._tables.writer()
        self._uncommitted = 0
        self._committed_at = time.monotonic()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self._spent[stage] += time.process_time() - began

    def _account(self, decoders: Mapping[str, float], process_seconds: float) -> None:
        """Report where the time of all cores went; `process_seconds` are this process's own."""
        spent = defaultdict(float, {**decoders, **self._spent})
        spent["rest"] = max(0.0, process_seconds - sum(self._spent.values()))
        idle = self._report.seconds * cores() - sum(spent.values())
        stages = ("probe", "decode", "scale", "send", "read", "embed", "write", "rest")
        self._report.profile = {stage: spent[stage] for stage in stages} | {"wait": max(0.0, idle)}

    def _tell(self, path: str = "", trouble: str | None = None) -> None:
        """Report progress, at most ten times a second unless there is trouble."""
        now = time.monotonic()
        if not self._on_progress or (trouble is None and now - self._told_at < _PROGRESS_SECONDS):
            return
        self._told_at = now
        videos = self._rows.values()
        done_bytes = self._done_bytes + sum(
            video.file.size * min(1.0, video.seconds_reached / video.row.duration)
            for video in videos
            if video.row.duration
        )
        self._on_progress(
            Progress(
                done=self._done,
                total=self._total,
                frames=self._report.frames + sum(video.frames_added for video in videos),
                video_seconds=self._report.video_seconds
                + sum(video.seconds_added for video in videos),
                seconds=now - self._started,
                left=self._pace.left(done_bytes),
                path=path or next((video.row.path for video in videos), ""),
                trouble=trouble,
            )
        )


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
