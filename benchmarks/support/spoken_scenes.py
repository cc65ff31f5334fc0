"""Sentences that a voice says, laid under the pictures of a video."""

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from support.worded_scenes import WordCue

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from framefind.video.sound import SAMPLE_RATE
from spoken import lay, say

_LEAD_SECONDS = 0.2  # of silence before a sentence


def say_sentences(video: Path, sentences: Sequence[WordCue]) -> None:
    """Lay sentences under a video, each at its time. Raises ValueError for one that is too long."""
    voices = {}
    for sentence in sentences:
        _, start, end = sentence.span
        voice = say(sentence.text)
        if start + _LEAD_SECONDS + len(voice) / SAMPLE_RATE > end:
            raise ValueError(f"{sentence.text!r} takes longer than {end - start:.1f} s")
        voices[start + _LEAD_SECONDS] = voice
    silent = video.rename(video.with_stem("silent"))
    samples = lay(max(sentence.span[2] for sentence in sentences), voices)
    with av.open(str(silent)) as source, av.open(str(video), "w") as target:
        pictures = source.streams.video[0]
        copied = target.add_stream_from_template(pictures)
        sound = target.add_stream("aac", SAMPLE_RATE, layout="mono")
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        target.mux([*sound.encode(frame), *sound.encode(None)])
    silent.unlink()
