"""Where voices are: by a real detector where speech is laid, and by laws for any probabilities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.video.sound import SAMPLE_RATE
from framefind.words import voice
from spoken import SENTENCES, lay, needs_detector, needs_speech, say

NOISE = np.random.default_rng(0)


@needs_speech
def test_voices_are_found_where_they_are():
    spoken = say(SENTENCES[0])
    sound = lay(90.0, {10.0: spoken, 70.0: spoken})
    sound += NOISE.normal(0, 0.003, len(sound)).astype(np.float32)
    parts = [part for window in voice.find_windows(sound) for part in window]
    assert {round(part.first / SAMPLE_RATE, -1) for part in parts} == {10.0, 70.0}
    for t in (10.0, 70.0):
        begin, end = t * SAMPLE_RATE, t * SAMPLE_RATE + len(spoken)
        near = [part for part in parts if part.first < end and begin < part.last]
        assert min(part.first for part in near) <= begin + 0.1 * SAMPLE_RATE
        assert max(part.last for part in near) >= end - 0.1 * SAMPLE_RATE
    assert sum(part.samples for part in parts) < 2 * len(spoken) + 3 * SAMPLE_RATE


@needs_detector
@pytest.mark.parametrize("kind", ["noise", "tone"])
def test_noise_and_tones_are_no_voices(kind):
    t = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    noise = NOISE.normal(0, 0.1, len(t))
    sound = noise if kind == "noise" else np.sin(2 * np.pi * 440 * t)
    assert voice.find_windows(sound.astype(np.float32)) == []


def test_silence_needs_no_detector(monkeypatch):
    asked: list[int] = []

    def detect(blocks):
        asked.append(len(blocks))
        return np.zeros((len(blocks), 16), np.float32)

    monkeypatch.setattr(voice, "_detect", detect)
    assert voice.find_windows(np.zeros(600 * SAMPLE_RATE, np.float32)) == []
    assert voice.find_windows(np.zeros(0, np.float32)) == []
    assert sum(asked) == 0


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1, width=32)), max_size=12))
def test_parts_are_apart_short_and_packed_into_windows(stretches):
    """Whatever the detector gives, for sound that is loud all the time."""
    steps = np.concatenate([np.zeros(0), *(np.full(n, p) for n, p in stretches)])
    probabilities = np.pad(steps, (0, -len(steps) % 16)).reshape(-1, 16).astype(np.float32)
    sound = np.ones(probabilities.size * 512, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voice, "_detect", lambda blocks: probabilities[-len(blocks) :])
        windows = voice.find_windows(sound)
    parts = [part for window in windows for part in window]
    assert all(0 <= part.first < part.last <= len(sound) for part in parts)
    assert all(one.last <= other.first for one, other in pairwise(parts))
    assert all(part.samples <= 10.1 * SAMPLE_RATE for part in parts)
    totals = [sum(part.samples for part in window) for window in windows]
    assert all(total <= voice.WINDOW_SECONDS * SAMPLE_RATE for total in totals)
    assert all(
        total + window[0].samples > voice.WINDOW_SECONDS * SAMPLE_RATE
        for total, window in zip(totals, windows[1:], strict=False)
    )
