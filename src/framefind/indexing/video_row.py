"""The row of a video while its frames come in: segments, frames, and how it ends.

The local engine adds frame after frame; Spark adds spans that its tasks have written.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from framefind.files.names import stored_path
from framefind.indexing.decide import Catalog
from framefind.indexing.decisions import Pending, describe_error, is_final
from framefind.indexing.words_written import ReadCues, WordsWritten
from framefind.reports import Report
from framefind.tables.rows import CueRow, new_segment
from framefind.types import Cue, Video

SEGMENT_SECONDS = 600.0
"""How much of a video a segment holds at most."""


@dataclass(frozen=True)
class Ending:
    """How decoding ended, of a video or of a span of one.

    `trouble` says what could not be decoded. If that `stopped` it, no frame follows: the video is
    damaged (`failed`), or it cannot be read any longer (`unreachable`). `duration` is the whole
    video's in seconds, as its frames tell; `fallback` says why the processor decoded what another
    decoder should have. `cuts` are those that were found after the last frame was given.
    """

    trouble: str | None = None
    stopped: Literal["failed", "unreachable"] | None = None
    duration: float | None = None
    fallback: str | None = None
    cuts: Sequence[float] = ()

    @classmethod
    def from_error(cls, path: str, error: Exception, fallback: str | None) -> "Ending":
        """Return how a video ended whose decoding raised VideoError or StoreError."""
        stopped: Literal["failed", "unreachable"] = "failed"
        if not is_final(path, error):
            stopped = "unreachable"
        return cls(describe_error(path, error), stopped, fallback=fallback)


def join_endings(endings: Iterable[Ending]) -> Ending:
    """Return how a video ended, from how its spans did, in their order, up to one that stopped.

    Only who decodes the last span knows how long the video really is.
    """
    joined = Ending()
    for ending in endings:
        joined = Ending(
            trouble=ending.trouble if ending.stopped else joined.trouble or ending.trouble,
            stopped=ending.stopped,
            duration=ending.duration,
            fallback=joined.fallback or ending.fallback,
            cuts=(*joined.cuts, *ending.cuts),
        )
    return joined


@dataclass
class Written:
    """The frames of a video, or of a span of one, that are written: in which segments, how many.

    `last` is the time of the last one in seconds; `begin` that of the first one in the segment that
    takes more of them, None if the next frame begins a new segment. `cuts` are the times in seconds
    at which shots begin.
    """

    segments: list[str] = field(default_factory=list)
    frames: int = 0
    last: float = -math.inf
    begin: float | None = None
    cuts: list[float] = field(default_factory=list)

    def add_frame(self, t: float, cuts: Iterable[float] = ()) -> str:
        """Count the frame at `t` seconds, and return the segment that it belongs to.

        `cuts` are those that were found since the frame before.
        """
        self.cuts += cuts
        if self.begin is None or t - self.begin >= SEGMENT_SECONDS:
            self.segments.append(new_segment())
            self.begin = t
        self.frames += 1
        self.last = t
        return self.segments[-1]

    def add_span(self, span: "Written") -> None:
        """Count what a task wrote of the span that follows."""
        self.segments += span.segments
        self.frames += span.frames
        self.last = max(self.last, span.last)
        self.cuts += span.cuts

    def end_segment(self) -> None:
        """Have the next frame begin a new segment, since a segment lies in one data file."""
        self.begin = None


class VideoRow:
    """The row of a video that is being decoded.

    Only a video that shows nothing older is published before it is whole.
    """

    def __init__(self, pending: Pending, read_cues: ReadCues) -> None:
        self.file = pending.file
        self.row = pending.row
        goes_on = pending.start > -math.inf
        self.written = Written()
        if goes_on:
            self.written = Written(
                segments=list(self.row.segments),
                frames=self.row.frames,
                last=self.row.indexed_until,
                cuts=list(self.row.cuts or ()),
            )
        self._knows_cuts = self.row.cuts is not None or not goes_on
        self.words = {
            reading.source: WordsWritten(self.row, reading, read_cues) for reading in pending.words
        }
        self.embeds = pending.start < math.inf
        self._parts = {*self.words} - {"screen"}  # what has not ended yet
        if pending.decodes_from < math.inf:
            self._parts.add("frames")
        self._shows_nothing_older = goes_on or not self.row.segments
        self._frames_before = self._frames_noted = self.written.frames
        self._seconds_before = self.seconds_reached

    @property
    def is_done(self) -> bool:
        """Return whether its frames and all of its words have ended."""
        return not self._parts

    @property
    def frames_added(self) -> int:
        """Return how many frames this run has written."""
        return self.written.frames - self._frames_before

    @property
    def seconds_added(self) -> float:
        """Return how many seconds of the video this run has decoded."""
        return self.seconds_reached - self._seconds_before

    @property
    def seconds_reached(self) -> float:
        """Return how many seconds of the video are decoded, by this run or an earlier one."""
        return max(0.0, self.written.last)

    def note_progress(self, catalog: Catalog) -> None:
        """End the segments, and note how far the video is, so that the next run goes on there."""
        self.written.end_segment()
        for words in self.words.values():
            words.end_segment()
            if words.shows_nothing_older and words.reading.until > -math.inf:
                catalog.note_words(self.row.video_id, words.reading, words.counts)
        if "frames" not in self._parts or not self.embeds:
            return
        if self._shows_nothing_older and self.written.frames > self._frames_noted:
            self._frames_noted = self.written.frames
            catalog.note(self._finish("indexing"))

    def add_cues(self, source: str, cues: Iterable[Cue], until: float | None) -> list[CueRow]:
        """Take cues of a source that is read up to `until` seconds; return the rows to write."""
        words = self.words[source]
        words.add(cues)
        return [] if until is None else list(words.reach(until))

    def release_cues(self) -> Iterator[CueRow]:
        """Yield the rows of what stands on the screen at the end of the last span."""
        for words in self.words.values():
            yield from words.release()

    def end_words(
        self, source: str, trouble: str | None, is_whole: bool, catalog: Catalog, report: Report
    ) -> list[CueRow]:
        """Note a source that has ended, `is_whole` or to be gone on with; return rows to write."""
        words = self.words[source]
        self._parts.discard(source)
        rows = [*(words.reach(math.inf) if is_whole else ()), *words.release()]
        if words.reading.until > -math.inf and (is_whole or words.shows_nothing_older):
            catalog.note_words(self.row.video_id, words.reading, words.counts)
        report.cues += sum(words.counts.values())
        if trouble:
            report.unread[stored_path(self.file.path)] = trouble
        return rows

    def end(self, ending: Ending, catalog: Catalog, report: Report) -> None:
        """Note the row as it stays: whole, in part, failed, or to be gone on with.

        A disk or store that does not give it is no fault of the video: what is written counts, and
        the rest is tried again.
        """
        if self.embeds:
            self._end_frames(ending, catalog, report)
        elif ending.trouble:
            report.unread[stored_path(self.file.path)] = ending.trouble
        self._parts.discard("frames")

    def _end_frames(self, ending: Ending, catalog: Catalog, report: Report) -> None:
        path = stored_path(self.file.path)
        trouble = ending.trouble or "unknown"
        self.written.cuts += ending.cuts
        if ending.duration:
            self.row = replace(self.row, duration=ending.duration)
        report.frames += self.frames_added
        report.video_seconds += self.seconds_added
        report.fallback = report.fallback or ending.fallback
        if ending.stopped == "unreachable":
            report.failed[path] = trouble
            self.note_progress(catalog)
        elif self._fails(ending):
            report.failed[path] = trouble
            catalog.fail(self.file, self.row.video_id, trouble)
        else:
            self._publish(ending, catalog, report)

    def _fails(self, ending: Ending) -> bool:
        """Tell whether nothing is written that is worth more than what the library shows."""
        if not ending.trouble:
            return False
        return not self.written.frames or bool(ending.stopped and not self._shows_nothing_older)

    def _publish(self, ending: Ending, catalog: Catalog, report: Report) -> None:
        """Note the row of a video of which all is written that could be decoded."""
        path = stored_path(self.file.path)
        report.indexed.append(path)
        if ending.trouble:
            report.partial[path] = ending.trouble
        if not ending.stopped:
            remaining = (self.row.duration or 0.0) - self.seconds_reached
            report.video_seconds += max(0.0, remaining)
        catalog.note(self._finish("partial" if ending.trouble else "indexed", ending.trouble))

    def _finish(self, status: str, error: str | None = None) -> Video:
        return replace(
            self.row,
            segments=list(self.written.segments),
            frames=self.written.frames,
            indexed_until=self.written.last,
            indexed_at=datetime.now(UTC),
            status=status,
            error=error,
            cuts=sorted({*self.written.cuts}) if self._knows_cuts else None,
        )
