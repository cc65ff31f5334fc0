"""Decoder threads: one per worker process, feeding one bounded queue."""

import math
import queue
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from framefind import arguments
from framefind.errors import NotAVideoError, StoreError, VideoError
from framefind.indexing.decide import Catalog
from framefind.indexing.spans import Parts, part_length
from framefind.indexing.walk import File
from framefind.processes import cores
from framefind.types import Video
from framefind.video.bounds import MAX_SHARED_PIXELS
from framefind.video.facts import Facts
from framefind.video.identity import video_id
from framefind.video.open import hardware
from framefind.video.process import SampledFrame, Worker
from framefind.video.samplers import parse_sampler
from framefind.video.views import MAX_DUPLICATE_CHANGE, Views

Outcome = Literal["decoded", "failed", "broken off", "touched", "moved", "copied", "passed over"]

_QUEUE = 128  # frames between decoding and embedding


@dataclass(frozen=True)
class Begun:
    """A video whose frames from `start` on follow."""

    row: Video
    file: File
    start: float


@dataclass(frozen=True)
class Decoded:
    """A sampled frame of a video that has begun."""

    video_id: str
    frame: SampledFrame


@dataclass(frozen=True)
class Ended:
    """A file is done with. `trouble` says what could not be decoded, or why nothing could.

    `duration` is the video's in seconds, as its frames tell. Of one that is broken off, the store
    could not be read; that says nothing about the video.
    """

    file: File
    outcome: Outcome
    video_id: str = ""
    trouble: str | None = None
    duration: float | None = None


Item = Begun | Decoded | Ended | BaseException


@dataclass(frozen=True)
class Options:
    """What is wanted of every video: `sampler` and `views` by canonical name.

    Frames that look like the one before, by the bound `dedupe` (0: none), take its vectors;
    `decoder` is `auto`, `cpu` or a device of PyAV's.
    """

    sampler: str
    views: str
    dedupe: float = 0.0
    decoder: str = "auto"

    def __post_init__(self) -> None:
        hardware(self.decoder)  # raises UsageError for an unknown one

    @classmethod
    def chosen(cls, sampler: str, views: str, dedupe: bool | float, decoder: str) -> "Options":
        """As users say it, by any name; `dedupe` True is the usual bound. Raises UsageError."""
        if not isinstance(dedupe, bool):
            arguments.number(dedupe, "dedupe", 0, 255)
        bound = MAX_DUPLICATE_CHANGE if dedupe is True else float(dedupe)
        return cls(parse_sampler(sampler).name, Views.parse(views).name, bound, decoder)


class Decoders:
    """Threads, one per decoder process, that put frames and endings into one bounded queue.

    Each takes a file; one that finds no file left helps with the parts of a long video.
    """

    def __init__(
        self,
        files: Sequence[File],
        catalog: Catalog,
        options: Options,
        size: int,
        resize: str = "bilinear",
    ) -> None:
        """Start decoding `files`; views are scaled to `size` pixels by the filter `resize`."""
        self.items: queue.Queue[Item] = queue.Queue(_QUEUE)
        self.lock = threading.Lock()  # guards the catalog
        self.spent: Counter[str] = Counter()
        """Seconds of processor time by stage, of videos that are done with."""
        self.fallback: str | None = None
        """Why the processor decodes what another decoder should have."""
        self._files = deque(files)
        self._catalog, self._options = catalog, options
        self._size, self._resize = size, resize
        self._length = part_length(parse_sampler(options.sampler))
        self._change = threading.Condition()  # guards what follows
        self._busy = 0
        self._open: deque[Parts[Item]] = deque()
        self._stop = threading.Event()
        self._huge = threading.Lock()  # held by whoever decodes huge pictures
        many = min(cores(), len(files)) if self._length is None else cores() if files else 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(many)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop as soon as possible; what is still in the queue is dropped."""
        self._stop.set()
        with self._change:
            for parts in self._open:
                parts.close()
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        worker = Worker(decoder=self._options.decoder, dedupe=self._options.dedupe)
        try:
            while job := self._next():
                if isinstance(job, File):
                    self._decode(worker, job)
                else:
                    self._help(worker, job)
                with self._change:
                    self._busy -= 1
                    self.spent.update(worker.spent)
                    self.fallback = self.fallback or worker.fallback
                    worker.spent.clear()
                    self._change.notify_all()
        except BaseException as error:  # a bug here must end the run, not hang it
            self._put(error)
        finally:
            worker.close()

    def _next(self) -> "File | Parts[Item] | None":
        """The next file, else a video of which parts are left; None once there will be none."""
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

    def _decode(self, worker: Worker, file: File) -> None:
        """Open a file, and decode what there is to decode of it."""
        try:
            facts, key = worker.open(file.path)
        except NotAVideoError as error:
            if file.named:
                trouble = f"not a video ({reason(file.path, error)})"
                return self._put(Ended(file, "failed", trouble=trouble))
            with self.lock:
                self._catalog.pass_over(file)
            return self._put(Ended(file, "passed over"))
        except StoreError as error:
            return self._put(Ended(file, "broken off", trouble=reason(file.path, error)))
        except VideoError as error:
            with self.lock:
                self._catalog.fail(file, video_id(file.path), reason(file.path, error))
            return self._put(Ended(file, "failed", trouble=reason(file.path, error)))
        with self.lock:
            claim = self._catalog.claim(file, key)
        if claim.what != "decode":
            return self._put(Ended(file, claim.what, key))
        row = replace(
            claim.row, **asdict(facts) | {"duration": facts.plausible_duration(file.size)}
        )
        self._put(Begun(row, file, claim.start))

        def finish(trouble: str | None, failed: bool) -> None:
            ending: Outcome = "broken off" if parts.broken_off else "failed"
            outcome = ending if failed else "decoded"
            self._put(Ended(file, outcome, key, trouble, parts.duration))

        parts = Parts(file, key, claim.start, self._cuts(worker, facts), self._put, finish)
        if facts.width * facts.height > MAX_SHARED_PIXELS:
            with self._huge:
                return self._help(worker, parts)
        with self._change:
            self._open.append(parts)
            self._change.notify_all()
        return self._help(worker, parts)

    def _cuts(self, worker: Worker, facts: Facts) -> list[float]:
        """Where to cut a video into parts; a short one stays whole."""
        if facts.width * facts.height > MAX_SHARED_PIXELS:
            return []  # one decoder at a time has them
        if not self._length or not facts.duration or facts.duration < 1.5 * self._length:
            return []
        try:
            return worker.cuts(self._length)
        except (VideoError, StoreError):  # decoding says so again
            return []

    def _help(self, worker: Worker, parts: "Parts[Item]") -> None:
        """Decode parts of a video as long as there are some left."""
        while not self._stop.is_set() and (part := parts.take()):
            trouble, failed = None, False
            try:
                if worker.path != parts.file.path:
                    worker.open(parts.file.path, known=True)
                for frame in worker.frames(
                    self._options.sampler,
                    self._options.views,
                    self._size,
                    part.start,
                    self._share(parts),
                    part.end,
                    self._resize,
                ):
                    parts.add(part, Decoded(parts.video_id, frame))
                    if self._stop.is_set() or parts.closed:
                        break
                trouble = worker.partial
                if part.end == math.inf:  # others may only know what is declared
                    parts.duration = worker.duration
            except (VideoError, StoreError) as error:
                trouble, failed = reason(parts.file.path, error), True
                parts.broken_off = parts.broken_off or isinstance(error, StoreError)
            parts.end(part, trouble, failed)

    def _share(self, parts: "Parts[Item]") -> int:
        """How many threads may decode a part while others are decoded too."""
        with self._change:
            return max(1, cores() // max(parts.count, self._busy + len(self._files)))


def reason(path: str, error: Exception) -> str:
    """What went wrong, without the path, which stands beside it everywhere."""
    return str(error).removeprefix(f"{path}: ")
