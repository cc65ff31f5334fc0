"""Decoder threads: one per worker process, feeding one bounded queue."""

import os
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from framefind.errors import NotAVideoError, VideoError
from framefind.indexing.catalog import Catalog
from framefind.paths import File
from framefind.tables import Video
from framefind.video import video_id
from framefind.video.worker import SampledFrame, Worker

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
    """A file is done with. `trouble` says what could not be decoded, or why nothing could."""

    file: File
    outcome: Literal["decoded", "failed", "touched", "moved", "copied", "passed over"]
    video_id: str = ""
    trouble: str | None = None


Item = Begun | Decoded | Ended | BaseException


class Decoders:
    """Threads, one per decoder process, that put frames and endings into one bounded queue."""

    def __init__(
        self, files: Sequence[File], catalog: Catalog, sampler: str, views: str, size: int
    ) -> None:
        """Start decoding `files`; views are cut to `size` pixels."""
        self.items: queue.Queue[Item] = queue.Queue(_QUEUE)
        self.lock = threading.Lock()  # guards the catalog
        self._files = deque(files)
        self._catalog, self._sampler, self._views, self._size = catalog, sampler, views, size
        self._busy = 0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True) for _ in range(min(cores(), len(files)))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop as soon as possible; what is still in the queue is dropped."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        worker = Worker()
        try:
            while (job := self._next()) and not self._stop.is_set():
                self._put(self._decode(worker, *job))
                with self.lock:
                    self._busy -= 1
        except BaseException as error:  # a bug here must end the run, not hang it
            self._put(error)
        finally:
            worker.close()

    def _next(self) -> tuple[File, int] | None:
        """The next file, and how many threads may decode it while others are decoded too."""
        with self.lock:
            if not self._files:
                return None
            self._busy += 1
            file = self._files.popleft()
            return file, max(1, cores() // min(cores(), self._busy + len(self._files)))

    def _put(self, item: Item) -> None:
        while not self._stop.is_set():
            try:
                self.items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def _decode(self, worker: Worker, file: File, threads: int) -> Ended:
        try:
            facts, key = worker.open(file.path)
        except NotAVideoError as error:
            if file.named:
                return Ended(file, "failed", trouble=f"not a video ({reason(file, error)})")
            with self.lock:
                self._catalog.pass_over(file)
            return Ended(file, "passed over")
        except VideoError as error:
            return self._failed(file, error)
        with self.lock:
            claim = self._catalog.claim(file, key)
        if claim.what != "decode":
            return Ended(file, claim.what, key)
        self._put(Begun(replace(claim.row, **asdict(facts)), file, claim.start))
        try:
            for frame in worker.frames(
                self._sampler, self._views, self._size, claim.start, threads
            ):
                self._put(Decoded(key, frame))
                if self._stop.is_set():
                    break
        except VideoError as error:
            return Ended(file, "failed", key, reason(file, error))
        return Ended(file, "decoded", key, worker.partial)

    def _failed(self, file: File, error: VideoError) -> Ended:
        with self.lock:
            self._catalog.fail(file, video_id(file.path), reason(file, error))
        return Ended(file, "failed", trouble=reason(file, error))


def reason(file: File, error: VideoError) -> str:
    """What went wrong, without the path, which stands beside it everywhere."""
    return str(error).removeprefix(f"{file.path}: ")


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
