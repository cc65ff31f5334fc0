"""What is said in a video becomes cues.

Its sound is read in spans of about ten minutes, which are cut where it is quiet: each is a step of
progress, and from the end of each reading can be taken up again. In a span, voices are looked for
first; what has none costs next to nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from framefind.types import Cue
from framefind.video.sound import SAMPLE_RATE, Samples
from framefind.words.phrases import Word, cut_phrases
from framefind.words.recogniser import Recogniser
from framefind.words.voice import Part, find_windows

SPAN_SECONDS = 600
"""How long a span is at most."""

_CUT_SECONDS = 20  # before the end of a span, in which the quietest moment is looked for
_QUIET_SAMPLES = SAMPLE_RATE // 2  # half a second


@dataclass(frozen=True)
class SpokenSpan:
    """What is said from `start` until before `end`, in seconds."""

    start: float
    end: float
    cues: list[Cue]


def read_speech(
    pieces: Iterable[Samples], recogniser: Recogniser, start: float = 0.0
) -> Iterator[SpokenSpan]:
    """Yield what is said, a span at a time, with times on the container's clock.

    `pieces` are the sound from `start` seconds on, as `DecoderProcess.sound` gives it. Errors of
    reading it pass through; raises ModelError where the model cannot be loaded.
    """
    for samples in _cut_spans(pieces):
        end = start + len(samples) / SAMPLE_RATE
        yield SpokenSpan(start, end, [*_find_cues(samples, recogniser, start)])
        start = end


def _find_cues(samples: Samples, recogniser: Recogniser, start: float) -> Iterator[Cue]:
    """Yield the cues of a span that begins at `start` seconds."""
    language = ""
    for parts in find_windows(samples):
        window = np.concatenate([samples[part.first : part.last] for part in parts])
        words, language = recogniser.recognise(window, language)
        for phrase in chain.from_iterable(map(cut_phrases, _place(words, parts))):
            text = "".join(word.text for word in phrase).strip()
            if text:
                times = start + phrase[0].start, start + phrase[-1].end
                yield Cue(*times, text, "speech", language)


def _place(words: Iterable[Word], parts: list[Part]) -> Iterator[list[Word]]:
    """Yield the words of a window with times in the samples that its parts were taken from.

    A word lies in one part, that of its middle. Words come together up to the next pause, which is
    where two parts do not touch.
    """
    ends = np.cumsum([part.samples for part in parts])
    together: list[Word] = []
    before = parts[0]
    for word in words:
        middle = (word.start + word.end) / 2 * SAMPLE_RATE
        number = min(int(np.searchsorted(ends, middle, side="right")), len(parts) - 1)
        part = parts[number]
        if part is not before and parts[number - 1].last < part.first and together:
            yield together
            together = []
        before = part
        moved = (part.last - int(ends[number])) / SAMPLE_RATE
        first = part.first / SAMPLE_RATE
        last = part.last / SAMPLE_RATE
        begin = min(max(word.start + moved, first), last)
        together.append(Word(begin, min(max(word.end + moved, begin), last), word.text))
    if together:
        yield together


def _cut_spans(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the sound in spans, each up to a quiet moment before SPAN_SECONDS are over."""
    size = SPAN_SECONDS * SAMPLE_RATE
    pieces_held: list[Samples] = []
    for piece in pieces:
        pieces_held.append(piece)
        while sum(map(len, pieces_held)) >= size:
            samples = np.concatenate(pieces_held)
            cut = _find_quiet(samples[:size])
            yield samples[:cut]
            pieces_held = [samples[cut:]]
    if pieces_held:
        yield np.concatenate(pieces_held)


def _find_quiet(samples: Samples) -> int:
    """Return the middle of the quietest half second near the end."""
    near = samples[-_CUT_SECONDS * SAMPLE_RATE :].astype(np.float64)
    power = np.concatenate([[0.0], np.cumsum(near**2)])
    loudness = power[_QUIET_SAMPLES:] - power[:-_QUIET_SAMPLES]
    return len(samples) - len(near) + int(loudness.argmin()) + _QUIET_SAMPLES // 2
