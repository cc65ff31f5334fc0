"""The cues of one source of a video while they come in: in which segments, and how far."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from framefind.indexing.reading import Reading
from framefind.tables.cues_table import as_cues
from framefind.tables.rows import CueRow, new_segment, segment_source
from framefind.types import Box, Cue, Video

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_GAP_SECONDS = 1.05  # from the end of a span to the next sampled frame, by `every=1`


ReadCues = Callable[[Collection[str]], "Iterable[pa.RecordBatch]"]
"""Reads the cues of some segments, with the columns of `cues`."""


class WordsWritten:
    """The cues of one source of a video that are written; `reading` tells until when.

    Cues are written once all is read up to some time, from where another run can go on. What stands
    on the screen at the end of a span may stand in the next one, too: where it has to be written,
    it gets a segment of its own, which no longer counts once more is read.
    """

    def __init__(self, row: Video, reading: Reading, read_cues: ReadCues = lambda _: ()) -> None:
        """Go on at `reading.until` with what the row has of the source, or begin again."""
        own_segments = [name for name in row.cue_segments if segment_source(name) == reading.source]
        goes_on = reading.until > -math.inf
        self.reading = reading
        self.shows_nothing_older = goes_on or not own_segments
        """Whether what is read may be shown before all is."""
        self.counts = dict.fromkeys(own_segments if goes_on else (), 0)
        """The cues in each segment that this run has written; 0 in those of earlier runs."""
        self._video_id = row.video_id
        self._segment: str | None = None
        self._new: list[Cue] = []
        self._standing: list[Cue] = []
        self._standing_segment: str | None = None  # the last one, if what stands is written
        cues = (
            as_cues(read_cues(own_segments[-1:])) if goes_on and reading.source == "screen" else []
        )
        if cues and all(cue.end >= reading.until for cue in cues):
            self._standing = cues
            self._standing_segment = own_segments[-1]

    def add(self, cues: Iterable[Cue]) -> None:
        """Take cues from after the time that is reached."""
        self._new += cues

    def reach(self, until: float) -> Iterator[CueRow]:
        """Note that all is read up to a time, in seconds; yield the rows to write."""
        if until <= self.reading.until < math.inf:  # an earlier run has read it
            self._new = []
            return
        self.reading = replace(self.reading, until=until)
        if self._standing_segment:
            del self.counts[self._standing_segment]
        self._standing_segment = None
        before = self._standing
        self._standing = []
        for cue in self._new:
            same = next((earlier for earlier in before if _goes_on(earlier, cue)), None)
            if same:
                before.remove(same)
                cue = replace(cue, start=same.start)
            if cue.source == "screen" and cue.end >= until:
                self._standing.append(cue)
            else:
                yield self._row(cue)
        self._new = []
        yield from map(self._row, before)

    def release(self) -> Iterator[CueRow]:
        """Yield the rows of what stood at the end of the last span, unless they are written."""
        if self._standing and not self._standing_segment:
            self._standing_segment = segment = new_segment(self.reading.source)
            self.counts[segment] = len(self._standing)
            yield from (CueRow(self._video_id, segment, cue) for cue in self._standing)

    def end_segment(self) -> None:
        """Have the next cue begin a new segment, since a segment lies in one data file."""
        self._segment = None

    def _row(self, cue: Cue) -> CueRow:
        if self._segment is None:
            self._segment = new_segment(self.reading.source)
            self.counts[self._segment] = 0
        self.counts[self._segment] += 1
        return CueRow(self._video_id, self._segment, cue)


def _goes_on(earlier: Cue, later: Cue) -> bool:
    """Return whether a cue is the same line on the screen as one that ended before it."""
    near = math.isclose(earlier.end, later.start, rel_tol=0, abs_tol=_MAX_GAP_SECONDS)
    return near and earlier.text == later.text and _overlap(earlier.box, later.box)


def _overlap(first: Box | None, second: Box | None) -> bool:
    if first is None or second is None:
        return first is second
    return all(
        first[axis] < second[axis] + second[axis + 2]
        and second[axis] < first[axis] + first[axis + 2]
        for axis in (0, 1)
    )
