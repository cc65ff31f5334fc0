"""People who speak in real videos."""

from pathlib import Path

import pytest

from framefind.video.sound import Sound
from framefind.words.recogniser import Recogniser
from framefind.words.speech import read_speech
from spoken import needs_weights, tiny_model

VIDEOS = Path("../shared/data/videos")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(tiny_model(), "cpu", threads=1)


@needs_weights
@pytest.mark.parametrize(
    ("name", "phrase", "t"),
    [
        ("odd/luke-cha+fate-suite/video/vp8/RRSF49-short.mp4", "moved everything to the", 2.7),
        ("odd/luke-cha+fate-suite/video/rv20/sipr_16k.mp4", "dude, you are so anti-social", 27.8),
        ("scenes/NYC2015+team-2/videos/team0.mp4", "come join us", 12.6),
    ],
)
def test_people_are_understood(recogniser, name, phrase, t):
    path = VIDEOS / name
    if not path.exists():
        pytest.skip("needs ../shared")
    with Sound(path) as sound:
        cues = [
            cue
            for span in read_speech((piece for (piece,) in sound.pieces()), recogniser)
            for cue in span.cues
        ]
    heard = [cue for cue in cues if phrase in cue.text.lower()]
    assert [cue.start for cue in heard] == [pytest.approx(t, abs=0.5)]
