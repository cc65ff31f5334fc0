"""Decoder threads: one per decoder process, feeding one bounded queue."""

import math
import queue
import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice

from framefind.errors import ModelError, StoreError, VideoError
from framefind.indexing.decide import Catalog
from framefind.indexing.decisions import Pending, Settled, describe_error, is_final, probe
from framefind.indexing.options import IndexOptions
from framefind.indexing.spans import Spans, decode_span, span_seconds
from framefind.indexing.video_row import Ending
from framefind.indexing.walk import File
from framefind.models.base import Model
from framefind.processes import cores
from framefind.types import Cue
from framefind.video.bounds import MAX_SHARED_PIXELS
from framefind.video.facts import Facts
from framefind.video.process import DecoderProcess, SampledFrame, ScreenCues
from framefind.words.recogniser import Recogniser
from framefind.words.speech import read_speech

DECODER = "framefind.words.decoder_main"
"""The program of the decoders' processes."""

_MAX_QUEUED_FRAMES = 128  # between decoding and embedding


@dataclass(frozen=True)
class Decoded:
    """A sampled frame of a video that is pending."""

    video_id: str
    frame: SampledFrame


@dataclass(frozen=True)
class Ended:
    """A pending video whose frames have all been given."""

    video_id: str
    ending: Ending


@dataclass(frozen=True)
class Cues:
    """Cues of a pending video; `until`: its `source` is read up to that second."""

    video_id: str
    source: str
    cues: Sequence[Cue]
    until: float | None = None


@dataclass(frozen=True)
class WordsEnded:
    """A source of a pending video of which all cues have been given; `trouble` is for people.

    One that is not `whole`, since something is away that it is read with, is read again.
    """

    video_id: str
    source: str
    trouble: str | None = None
    whole: bool = True


Item = Cues | WordsEnded | Settled | Pending | Decoded | Ended | BaseException


class DecoderPool:
    """Threads, one per decoder process, that decide about files and decode them into `items`.

    Each takes a file; one that finds no file left helps with the spans of a long video. A settled
    file is one item; a pending video comes before its frames, and its end after them.
    """

    def __init__(
        self,
        files: Sequence[File],
        catalog: Catalog,
        options: IndexOptions,
        model: Model,
        recogniser: Recogniser | None = None,
    ) -> None:
        """Start decoding `files`; views are cut for `model`, speech is read by `recogniser`."""
        self.items: queue.Queue[Item] = queue.Queue(_MAX_QUEUED_FRAMES)
        self.spent: Counter[str] = Counter()
        """Seconds of processor time by stage, of videos that are done with."""
        self._files = deque(files)
        self._catalog = catalog
        self._options = options
        self._model = model
        self._recogniser = recogniser
        self._speaking = threading.Lock()  # held by whoever uses it
        self._span_seconds = span_seconds(options.sampler)
        self._change = threading.Condition()  # guards what follows
        self._busy = 0
        self._open: deque[Spans[Item]] = deque()
        self._stop = threading.Event()
        self._huge = threading.Lock()  # held by whoever decodes huge pictures
        splits = self._span_seconds is not None
        count = (cores() if files else 0) if splits else min(cores(), len(files))
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop as soon as possible; what is still in the queue is dropped."""
        self._stop.set()
        with self._change:
            for spans in self._open:
                spans.close()
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        worker = DecoderProcess(
            decoder=self._options.decoder, dedupe=self._options.dedupe, main=DECODER
        )
        try:
            while job := self._next():
                if isinstance(job, File):
                    self._take(worker, job)
                else:
                    self._decode(worker, job)
                with self._change:
                    self._busy -= 1
                    self.spent.update(worker.spent)
                    worker.spent.clear()
                    self._change.notify_all()
        except BaseException as error:  # a bug here must end the run, not hang it
            self._put(error)
        finally:
            worker.close()

    def _next(self) -> "File | Spans[Item] | None":
        """Return the next file, else a video with spans left; None once there will be none."""
        with self._change:
            while not self._stop.is_set():
                while self._open and self._open[0].taken:
                    self._open.popleft()
                if self._files or self._open:
                    self._busy += 1
                    return self._files.popleft() if self._files else self._open[0]
                if not self._busy:
                    break
                self._change.wait()
        return None

    def _put(self, item: Item) -> None:
        while not self._stop.is_set():
            try:
                self.items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def _take(self, worker: DecoderProcess, file: File) -> None:
        """Open a file, decide what is done with it, and decode what has to be decoded."""
        probed = probe(worker, file.path)
        decision = self._catalog.decide(file, probed)
        self._put(decision)
        if not isinstance(decision, Pending) or probed.facts is None:
            return
        is_huge = probed.facts.width * probed.facts.height > MAX_SHARED_PIXELS
        spans: Spans[Item] | None = None
        if decision.decodes_from < math.inf:
            cuts = [] if is_huge else self._find_cuts(worker, probed.facts)
            spans = Spans(decision, cuts, self._put, partial(self._end, probed.video_id))
        if spans and not is_huge:
            with self._change:
                self._open.append(spans)
                self._change.notify_all()
        if any(reading.source == "subtitles" for reading in decision.words):
            self._read_subtitles(worker, decision, probed.facts.fps)
        if spans:
            with self._huge if is_huge else nullcontext():
                self._decode(worker, spans)
        for reading in decision.words:
            if reading.source == "speech":
                self._read_speech(worker, decision, reading.until)

    def _end(self, video_id: str, ending: Ending) -> None:
        self._put(Ended(video_id, ending))

    def _read_subtitles(self, worker: DecoderProcess, pending: Pending, fps: float) -> None:
        """Read the subtitles of the video that `worker` has open."""
        video_id = pending.row.video_id
        path = worker.path
        try:
            cues = worker.subtitles(pending.sidecars, fps or None)
            while batch := list(islice(cues, _MAX_QUEUED_FRAMES)):
                self._put(Cues(video_id, "subtitles", batch))
            ended = WordsEnded(video_id, "subtitles", worker.partial)
        except (VideoError, StoreError) as error:
            trouble = describe_error(path, error)
            ended = WordsEnded(video_id, "subtitles", trouble, is_final(path, error))
        self._put(ended)

    def _read_speech(self, worker: DecoderProcess, pending: Pending, start: float) -> None:
        """Read what is said in a video from `start` seconds on; one video at a time."""
        assert self._recogniser
        video_id = pending.row.video_id
        path = pending.file.path
        with self._speaking:
            try:
                if worker.path != path:
                    worker.open(path, skip_id=True)
                start = max(0.0, start)
                with closing(worker.sound(start, pending.row.duration)) as pieces:
                    for span in read_speech(pieces, self._recogniser, start):
                        self._put(Cues(video_id, "speech", span.cues, span.end))
                        if self._stop.is_set():
                            return
                ended = WordsEnded(video_id, "speech", worker.partial)
            except (VideoError, StoreError, ModelError) as error:
                trouble = describe_error(path, error)
                ended = WordsEnded(video_id, "speech", trouble, is_final(path, error))
        self._put(ended)

    def _find_cuts(self, worker: DecoderProcess, facts: Facts) -> list[float]:
        """Return where to cut a video into spans; a short one stays whole."""
        length = self._span_seconds
        if not length or not facts.duration or facts.duration < 1.5 * length:
            return []
        try:
            return worker.cuts(length)
        except (VideoError, StoreError):  # decoding meets it again
            return []

    def _decode(self, worker: DecoderProcess, spans: "Spans[Item]") -> None:
        """Decode spans of a video as long as there are some left."""
        path = spans.pending.file.path
        while not self._stop.is_set() and (span := spans.take()):
            threads = self._share(spans)
            ending = Ending()
            with closing(
                decode_span(
                    worker,
                    path,
                    span,
                    self._options,
                    self._model,
                    threads,
                    views_from=spans.pending.start,
                    read_screen=spans.pending.screen is not None,
                )
            ) as items:
                for item in items:
                    if isinstance(item, Ending):
                        ending = item
                    elif isinstance(item, ScreenCues):
                        spans.add(span, Cues(spans.video_id, "screen", item.cues, item.until))
                    else:
                        spans.add(span, Decoded(spans.video_id, item))
                    if self._stop.is_set() or spans.closed:
                        break
            spans.end(span, ending)

    def _share(self, spans: "Spans[Item]") -> int:
        """Return how many threads may decode a span while others are decoded too."""
        with self._change:
            return max(1, cores() // max(spans.count, self._busy + len(self._files)))
