"""Find where voices are, so that a recogniser of speech need not listen to anything else.

Silero's detector of voices, which faster-whisper ships, looks at what is louder than silence.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from framefind.video.sound import SAMPLE_RATE, Samples

WINDOW_SECONDS = 30
"""What Whisper listens to at once; less costs as much, and it invents words for what is missing."""

_STEP = 512  # samples for which the detector gives one probability
_STEPS_PER_SECOND = SAMPLE_RATE / _STEP
_BLOCK_STEPS = 16  # about half a second: what is silent is skipped in such blocks
_MIN_LOUDNESS = 0.001  # root mean square of a block: -60 dB
_BLOCKS_NEARBY = 5  # on either side of a probe that hints at a voice
_HINT = 0.2  # probability that does
_VOICE = 0.5  # probability that makes a stretch one of voices
_MAYBE = 0.35  # probability down to which it goes on
_MARGIN_STEPS = round(0.3 * _STEPS_PER_SECOND)  # that are kept before and after a voice
_MAX_PART_STEPS = round(10 * _STEPS_PER_SECOND)
_MIN_PART_STEPS = _MAX_PART_STEPS // 2
_SMOOTH_STEPS = 5  # over which the lowest probability is looked for, to cut there


@dataclass(frozen=True)
class Part:
    """Samples from `first` until before `last`."""

    first: int
    last: int

    @property
    def samples(self) -> int:
        """Return how many there are."""
        return self.last - self.first


def find_windows(samples: Samples) -> list[list[Part]]:
    """Return the parts with voices, in windows of up to WINDOW_SECONDS to be recognised at once.

    Parts are cut where voices pause, as far as possible.
    """
    windows: list[list[Part]] = []
    room = 0
    for part in _find_parts(samples):
        if part.samples > room:
            windows.append([])
            room = WINDOW_SECONDS * SAMPLE_RATE
        windows[-1].append(part)
        room -= part.samples
    return windows


def _find_parts(samples: Samples) -> list[Part]:
    """Return where voices are, in parts of ten seconds at most."""
    probabilities = _voice_probabilities(samples)
    heard = np.zeros(len(probabilities), bool)
    for first, last in _runs(probabilities >= _MAYBE):
        if probabilities[first:last].max() >= _VOICE:
            heard[max(0, first - _MARGIN_STEPS) : last + _MARGIN_STEPS] = True
    cuts = [cut for run in _runs(heard) for cut in pairwise(_cut(*run, probabilities))]
    return [Part(first * _STEP, min(last * _STEP, len(samples))) for first, last in cuts]


def _cut(first: int, last: int, probabilities: NDArray[np.float32]) -> list[int]:
    """Return the borders of a stretch and where it is cut in between, in steps."""
    borders = [first]
    while last - borders[-1] > _MAX_PART_STEPS:
        begin = borders[-1] + _MIN_PART_STEPS
        near = probabilities[begin : borders[-1] + _MAX_PART_STEPS]
        smooth = np.convolve(near, np.ones(_SMOOTH_STEPS), "valid")
        borders.append(begin + int(smooth.argmin()) + _SMOOTH_STEPS // 2)
    return [*borders, last]


def _voice_probabilities(samples: Samples) -> NDArray[np.float32]:
    """Return the probability of a voice for each step of the samples, 0 where none is near.

    Silent blocks are skipped. Of the others every second one is probed; the detector goes through
    all of those that are near a voice. A lone word of half a second may fall between two probes.
    """
    block = _BLOCK_STEPS * _STEP
    blocks = np.pad(samples, (0, -len(samples) % block)).reshape(-1, block)
    power = np.einsum("ij,ij->i", blocks, blocks) / block
    loud = _widen(power > _MIN_LOUDNESS**2, 1)
    probes = np.flatnonzero(loud)[::2]
    near = np.zeros(len(blocks), bool)
    near[probes] = _detect(blocks[probes]).max(axis=1, initial=0.0) >= _HINT
    near = _widen(near, _BLOCKS_NEARBY) & loud
    probabilities = np.zeros((len(blocks), _BLOCK_STEPS), np.float32)
    for first, last in _runs(near):
        probabilities[first:last] = _detect(blocks[first:last])
    return probabilities.reshape(-1)


def _detect(blocks: Samples) -> NDArray[np.float32]:
    """Return the probabilities of a voice (n, steps) in blocks (n, samples) that follow another."""
    if not len(blocks):
        return np.zeros((0, _BLOCK_STEPS), np.float32)
    from faster_whisper.vad import get_vad_model

    heard: NDArray[np.float32] = get_vad_model()(blocks.reshape(-1))
    return heard.reshape(-1, _BLOCK_STEPS)


def _widen(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return a mask that is also true up to `count` places before and after."""
    if not len(mask):
        return mask
    widened = np.convolve(mask, np.ones(2 * count + 1))[count : count + len(mask)]
    return widened > 0.5


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where a mask is true: beginnings and ends of its runs."""
    borders = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [(int(first), int(last)) for first, last in borders.reshape(-1, 2)]
