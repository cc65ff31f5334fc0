"""What is read is what RapidOCR reads by the same models, prepared and decoded by its own code."""

from difflib import SequenceMatcher

import pytest

from framefind.words.screen import detector, recogniser
from framefind.words.screen.picture import read_picture
from media import BLACK, BLUE, WHITE, sign

rapidocr = pytest.importorskip("rapidocr")


@pytest.fixture(scope="module")
def engine():
    return rapidocr.RapidOCR(
        params={
            "Global.use_cls": False,
            "Det.model_path": str(detector.FILE),
            "Rec.model_path": str(recogniser.FILE),
        }
    )


@pytest.mark.parametrize(
    ("text", "ink", "paper"),
    [
        ("Laundromat open 24 hours", BLACK, WHITE),
        ("Quarterly revenue 1,250", WHITE, BLACK),
        ("Platform 9, gate C27", WHITE, BLUE),
    ],
)
def test_signs_are_read_alike(engine, text, ink, paper):
    picture = sign(text, em=36, at=(60, 150), ink=ink, paper=paper)
    theirs = " ".join(engine(picture[..., ::-1]).txts or ())
    ours = read_picture(picture)
    assert SequenceMatcher(None, ours, theirs).ratio() > 0.9
