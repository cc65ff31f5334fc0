"""Reads what stands on the screen: sampled frames become cues, one for each line that stays."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from framefind.types import Box, Cue
from framefind.video.frame import Frame
from framefind.words.screen.detector import detect_lines, input_size
from framefind.words.screen.lines import read_lines
from framefind.words.screen.place import Place, looks_like
from framefind.words.screen.recogniser import MIN_CONFIDENCE

_SEARCHED_BY = "area"
"""How a frame is reduced before lines are looked for: any other filter blurs small letters."""
_SURE = 0.95
"""Confidence from which two readings that differ are two texts, and not one misread."""
_MIN_LETTERS = 2
"""Letters and digits of a cue; the recogniser sees single ones everywhere."""
_MIN_LIKENESS = 0.75
"""Part that two readings of one line have in common."""
_MIN_OVERLAP = 0.5
"""Intersection over union of a line's places in two frames, where it does not move."""


@dataclass
class _Line:
    """A line of text that is on the screen since `start`, in seconds.

    `place` and `pixels` are where it was and how it looked when it was last read; `box` is where it
    was read with the highest `confidence`. `votes` holds the sum of confidences of each reading.
    """

    start: float
    place: Place
    pixels: NDArray[np.uint8]
    box: Box
    confidence: float = 0.0
    votes: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def text(self) -> str:
        """Return the reading that has most votes."""
        return max(self.votes, key=lambda text: self.votes[text])

    def looks_as_before(self, picture: NDArray[np.uint8]) -> bool:
        """Return whether a picture shows the same where the line was."""
        return looks_like(self.place.cut(picture), self.pixels)

    def cues(self, end: float) -> Iterator[Cue]:
        """Yield its cue, if it is likely to be text; it ended at `end`, in seconds."""
        text = " ".join(self.text.split())
        if self.confidence >= MIN_CONFIDENCE and len(_plain(text)) >= _MIN_LETTERS:
            yield Cue(self.start, end, text, "screen", box=self.box)


class ScreenReader:
    """Reads the frames of one video, given in order, and yields cues as their lines disappear.

    Only what changed is looked at: a frame that looks like the last one is not searched, and a line
    that looks as before is not read again.
    """

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._searched: NDArray[np.uint8] | None = None  # the picture that was last searched

    def add(self, frame: Frame) -> Iterator[Cue]:
        """Read a frame; yield the cues of lines that it does not show any more."""
        picture = frame.scale(*input_size(frame.width, frame.height), _SEARCHED_BY)
        if self._searched is not None and looks_like(picture, self._searched):
            return
        self._searched = picture
        before = self._lines
        self._lines = []
        places = []
        unread = []
        for corners in detect_lines(picture):
            places.append(place := Place.around(corners, picture))
            line = _find_overlapping(place, before)
            if line and line.looks_as_before(picture):
                self._keep(line, before)
            else:
                unread.append((place, corners))
        texts = read_lines(
            [corners for _, corners in unread], picture, frame.scale, frame.width, frame.height
        )
        for (place, _), (text, confidence) in zip(unread, texts, strict=True):
            self._add_reading(frame.t, picture, place, text, confidence, before)
        for line in [*before]:
            is_missed = not any(line.place.overlap(place) for place in places)
            if is_missed and line.looks_as_before(picture):
                self._keep(line, before)
        for line in before:
            yield from line.cues(frame.t)

    def finish(self, end: float) -> Iterator[Cue]:
        """Yield the cues of the lines that stay until the video's end, in seconds."""
        for line in self._lines:
            yield from line.cues(end)
        self._lines = []
        self._searched = None

    def _keep(self, line: _Line, before: list[_Line]) -> None:
        before.remove(line)
        self._lines.append(line)

    def _add_reading(
        self,
        t: float,
        picture: NDArray[np.uint8],
        place: Place,
        text: str,
        confidence: float,
        before: list[_Line],
    ) -> None:
        """Give a reading to the line of the last frame that it continues, or begin a line."""
        pixels = place.cut(picture).copy()
        box = place.box(picture)
        line = _find_continued(place, text, confidence, before)
        if line:
            self._keep(line, before)
            line.place = place
            line.pixels = pixels
        else:
            line = _Line(t, place, pixels, box)
            self._lines.append(line)
        line.votes[text] += confidence
        if confidence > line.confidence:
            line.confidence = confidence
            line.box = box


def _find_overlapping(place: Place, lines: list[_Line]) -> _Line | None:
    """Return the line that stands at a place, if any."""
    nearest = max(lines, key=lambda line: line.place.overlap(place), default=None)
    return nearest if nearest and nearest.place.overlap(place) >= _MIN_OVERLAP else None


def _find_continued(place: Place, text: str, confidence: float, lines: list[_Line]) -> _Line | None:
    """Return the line that a reading continues: at its place, or with its text elsewhere."""
    near = _find_overlapping(place, lines)
    if near and _is_same(near, text, confidence):
        return near
    plain = _plain(text)
    return next((line for line in lines if plain and _plain(line.text) == plain), None)


def _is_same(line: _Line, text: str, confidence: float) -> bool:
    """Return whether a reading at a line's place is of the same text, though misread perhaps."""
    before = _plain(line.text)
    now = _plain(text)
    if min(confidence, line.confidence) >= _SURE:
        return before == now
    return SequenceMatcher(None, before, now, autojunk=False).ratio() >= _MIN_LIKENESS


def _plain(text: str) -> str:
    """Return a text's letters and digits, caseless."""
    return "".join(filter(str.isalnum, text.casefold()))
