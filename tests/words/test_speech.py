"""What is said becomes cues: with real weights and a voice, and with a stub where times matter."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from framefind.types import Cue
from framefind.video.process import DecoderProcess
from framefind.video.sound import SAMPLE_RATE, Samples
from framefind.words import speech
from framefind.words.phrases import Word
from framefind.words.recogniser import Recogniser
from framefind.words.speech import read_speech
from framefind.words.voice import Part
from media import film, talkie
from spoken import SENTENCES, lay, needs_speech, say, tiny_model


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(tiny_model(), "cpu", threads=1)


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def read(decoder: DecoderProcess, recogniser: Recogniser, path: Path) -> list[Cue]:
    decoder.open(str(path), skip_id=True)
    return [cue for span in read_speech(decoder.sound(), recogniser) for cue in span.cues]


class Counter:
    """A stub of a recogniser that hears one word in the middle of every window."""

    def __init__(self) -> None:
        self.windows: list[int] = []

    def recognise(self, window: Samples, language: str = "") -> tuple[list[Word], str]:
        self.windows.append(len(window))
        middle = len(window) / 2 / SAMPLE_RATE
        return [Word(middle - 0.1, middle + 0.1, f" word{len(self.windows)}")], "en"


@needs_speech
class TestRealWeights:
    def test_sentences_are_read_at_their_times(self, recogniser, decoder, tmp_path):
        times = 2.0, 12.5, 41.0
        sound = lay(50.0, dict(zip(times, map(say, SENTENCES), strict=True)))
        path = talkie(tmp_path / "said.mp4", [sound], "aac")
        cues = read(decoder, recogniser, path)
        for t, sentence in zip(times, SENTENCES, strict=True):
            near = [cue for cue in cues if t - 1 < cue.start < t + 8]
            words = " ".join(cue.text for cue in near).lower().strip(".").split()
            spoken = sentence.lower().strip(".").split()
            assert len(set(spoken) & set(words)) >= 0.8 * len(set(spoken)), words
            assert near[0].start == pytest.approx(t, abs=0.5)
            assert near[-1].end == pytest.approx(t + len(say(sentence)) / SAMPLE_RATE, abs=0.5)
        assert {(cue.source, cue.language, cue.box) for cue in cues} == {("speech", "en", None)}

    @pytest.mark.parametrize("name", ["late.mkv", "late.ts"])
    def test_times_are_the_containers(self, recogniser, decoder, tmp_path, name):
        sound = lay(14.0, {6.0: say(SENTENCES[0])})
        path = talkie(tmp_path / name, [sound], "mp2", delay=5.0, origin=7.0)
        cues = read(decoder, recogniser, path)
        assert cues[0].start == pytest.approx(6.0, abs=0.5)
        assert "committee" in cues[0].text

    @pytest.mark.parametrize(
        ("name", "codec", "rate", "layout"),
        [("a.mov", "pcm_mulaw", 8_000, "mono"), ("a.mkv", "flac", 48_000, "7.1")],
    )
    def test_telephone_and_cinema_sound(
        self, recogniser, decoder, tmp_path, name, codec, rate, layout
    ):
        voice = lay(8.0, {1.0: say(SENTENCES[0])})
        at = np.arange(0, len(voice), SAMPLE_RATE / rate)
        sound = np.interp(at, np.arange(len(voice)), voice).astype(np.float32)
        path = talkie(tmp_path / name, [sound], codec, rate, layout)
        cues = read(decoder, recogniser, path)
        assert "railway" in " ".join(cue.text for cue in cues)
        assert cues[0].start == pytest.approx(1.0, abs=0.5)

    def test_music_and_silence_hold_no_words(self, recogniser, decoder, tmp_path):
        t = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
        chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330, 440)) / 8
        music = (chord * (0.4 + 0.3 * np.sin(2 * np.pi * 2 * t))).astype(np.float32)
        path = talkie(tmp_path / "music.mkv", [np.concatenate([music, np.zeros_like(music)])])
        assert read(decoder, recogniser, path) == []


def test_a_video_without_sound_has_no_cues(decoder, tmp_path):
    stub = Counter()
    assert read(decoder, stub, film(tmp_path / "silent.mp4")) == []  # type: ignore[arg-type]
    assert stub.windows == []


def test_spans_end_where_it_is_quiet_and_can_be_taken_up_again(monkeypatch):
    sound = np.random.default_rng(0).normal(0, 0.1, 1500 * SAMPLE_RATE).astype(np.float32)
    for quiet in (591, 1177):
        sound[quiet * SAMPLE_RATE : (quiet + 1) * SAMPLE_RATE] = 0
    whole = Part(0, SAMPLE_RATE)
    monkeypatch.setattr(speech, "find_windows", lambda samples: [[whole]])
    pieces = [sound[at : at + 60 * SAMPLE_RATE] for at in range(0, len(sound), 60 * SAMPLE_RATE)]
    spans = list(read_speech(pieces, Counter()))  # type: ignore[arg-type]
    borders = [0.0, *(span.end for span in spans)]
    assert [span.start for span in spans] == borders[:-1]
    assert borders == pytest.approx([0.0, 591.5, 1177.5, 1500.0], abs=0.5)
    assert [cue.start for span in spans for cue in span.cues] == pytest.approx(
        [border + 0.4 for border in borders[:-1]]
    )
    resumed = [sound[round(spans[0].end * SAMPLE_RATE) :]]
    again = list(read_speech(resumed, Counter(), spans[0].end))  # type: ignore[arg-type]
    assert [(span.start, span.end) for span in again] == [
        (span.start, span.end) for span in spans[1:]
    ]


def test_words_are_put_back_where_their_part_was_taken_from(monkeypatch):
    parts = [Part(0, SAMPLE_RATE), Part(10 * SAMPLE_RATE, 12 * SAMPLE_RATE)]

    class Fixed(Counter):
        def recognise(self, window, language=""):
            times = (0.2, 0.6), (0.7, 1.2), (1.1, 1.9), (2.9, 3.4)
            return [Word(start, end, f" {start}") for start, end in times], "en"

    monkeypatch.setattr(speech, "find_windows", lambda samples: [parts])
    silence = np.zeros(20 * SAMPLE_RATE, np.float32)
    (span,) = read_speech([silence], Fixed(), 100.0)  # type: ignore[arg-type]
    assert [cue.text for cue in span.cues] == ["0.2 0.7", "1.1", "2.9"]
    times = [(cue.start, cue.end) for cue in span.cues]
    assert times == [(100.2, 101.0), pytest.approx((110.1, 110.9)), pytest.approx((111.9, 112.0))]
