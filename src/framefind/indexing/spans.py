"""One video in spans that several decoders take, and whose frames leave in order of time."""

import math
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from framefind.errors import StoreError, VideoError
from framefind.indexing.decisions import Pending
from framefind.indexing.options import IndexOptions
from framefind.indexing.video_row import Ending, join_endings
from framefind.models.base import Model
from framefind.video.process import DecoderProcess, SampledFrame, ScreenCues
from framefind.video.samplers import Sampler

MIN_SPAN_SECONDS = 30.0
"""Enough for a few groups of pictures and a batch of frames."""

_MAX_SPAN_SECONDS = 600.0
_MIN_SPAN_FRAMES = 32  # of `every`
_MAX_HELD_FRAMES = 128  # of one span, which wait for those before them

FrameT = TypeVar("FrameT")


@dataclass(frozen=True)
class Span:
    """The frames from `start` until before `end`, in seconds."""

    number: int
    start: float
    end: float


class Spans(Generic[FrameT]):
    """The spans of one pending video, cut at `cuts`; thread-safe.

    Frames go to `put` in the order of spans; those of a span that is not yet due are held, up to a
    limit. `finish` is called once, with how the video ended.
    """

    def __init__(
        self,
        pending: Pending,
        cuts: Sequence[float],
        put: Callable[[FrameT], None],
        finish: Callable[[Ending], None],
    ) -> None:
        self.pending = pending
        self.video_id = pending.row.video_id
        start = pending.decodes_from
        borders = [start, *(cut for cut in cuts if cut > start), math.inf]
        self._left = [Span(i, *borders[i : i + 2]) for i in range(len(borders) - 1)]
        self.count = len(self._left)
        self._put = put
        self._finish = finish
        self._change = threading.Condition()
        self._due = 0
        self._held: dict[int, list[FrameT]] = {}
        self._endings: dict[int, Ending] = {}
        self.closed = False

    @property
    def taken(self) -> bool:
        """Return whether there is no span left to take."""
        return self.closed or not self._left

    def take(self) -> Span | None:
        """Return the next span that nobody decodes, if any."""
        with self._change:
            return self._left.pop(0) if self._left and not self.closed else None

    def add(self, span: Span, frame: FrameT) -> None:
        """Pass a frame on, or hold it until its span is due."""
        with self._change:
            waiting = self._held.setdefault(span.number, [])
            while span.number != self._due and len(waiting) >= _MAX_HELD_FRAMES and not self.closed:
                self._change.wait()
            if self.closed:
                return
            if span.number != self._due:
                waiting.append(frame)
                return
        self._put(frame)  # nobody else's turn comes before this span has ended

    def end(self, span: Span, ending: Ending) -> None:
        """Note how a span ended; after one that stopped, nothing that follows it counts."""
        with self._change:
            self._endings[span.number] = ending
            while not self.closed and self._due in self._endings:
                stopped = self._endings[self._due].stopped
                self._due += 1
                if stopped or self._due == self.count:
                    self.closed = True
                    self._finish(join_endings(self._endings[at] for at in range(self._due)))
                else:
                    for frame in self._held.pop(self._due, []):
                        self._put(frame)
            self._change.notify_all()

    def close(self) -> None:
        """Give up: nobody waits any longer."""
        with self._change:
            self.closed = True
            self._change.notify_all()


def span_seconds(sampler: Sampler) -> float | None:
    """Return how long the spans of a video should be in seconds; None if it should stay whole."""
    if not sampler.splittable:
        return None
    return min(max(MIN_SPAN_SECONDS, _MIN_SPAN_FRAMES * sampler.spacing), _MAX_SPAN_SECONDS)


def decode_span(
    worker: DecoderProcess,
    path: str,
    span: Span,
    options: IndexOptions,
    model: Model,
    threads: int,
    video_id: str | None = None,
    views_from: float = -math.inf,
    read_screen: bool = False,
) -> Generator[SampledFrame | ScreenCues | Ending]:
    """Yield the sampled frames of a span, then how it ended.

    Opens the video unless `worker` has it open; with `video_id`, a file that is another video by
    now fails. Views are cut for `model` from `views_from` seconds on; `threads` are the decoder's
    (0: one per core). With `read_screen`, what is written in the frames comes between them.
    """
    try:
        if worker.path != path:
            _, key = worker.open(path, skip_id=video_id is None)
            if video_id is not None and key != video_id:
                worker.path = ""
                raise VideoError(f"{path}: the file was changed while it was read")
        yield from worker.sample(
            options.sampler.name,
            options.views.name if views_from < span.end else "",
            model.size,
            span.start,
            threads,
            span.end,
            model.resize,
            read_screen,
            views_from,
        )
        ending = Ending(worker.partial, None, worker.duration, worker.fallback, worker.last_cuts)
    except (VideoError, StoreError) as error:
        ending = Ending.from_error(path, error, worker.fallback)
    yield ending
