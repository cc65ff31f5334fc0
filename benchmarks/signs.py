"""Words written in the picture: signs are drawn onto real frames, and asked for by their words.

A hard class of queries, for which a model must have learned to read. The same queries on the same
frames without signs tell how much is found by other means.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from samples import Vectors

import framefind
from framefind.models import registry
from framefind.video.views import Views

# fmt: off
WORDS = [
    "EXIT", "OPEN", "CLOSED", "STOP", "SALE", "HOTEL", "TAXI", "PIZZA", "COFFEE", "BANK", "POLICE",
    "DANGER", "WELCOME", "PARKING", "SCHOOL", "HOSPITAL", "NO ENTRY", "PUSH", "PULL", "FOR RENT",
    "BAKERY", "LIBRARY", "MUSEUM", "TICKETS", "TOILETS", "FIRE EXIT", "WET PAINT", "KEEP OUT",
    "ONE WAY", "SLOW", "AIRPORT", "PLATFORM 9", "GATE 12", "ROOM 101", "PRIVATE", "VOTE", "PEACE",
    "HAPPY BIRTHDAY", "JUST MARRIED", "LEMONADE", "FRESH FISH", "BARBER", "PHARMACY", "CINEMA",
    "THEATRE", "FREE WIFI", "NO SMOKING", "BEWARE OF DOG", "GARAGE", "MARKET", "BOOKS", "FLOWERS",
    "ICE CREAM", "BUS STOP", "TRAINS", "HARBOUR", "REPAIRS", "HELP WANTED", "SOLD OUT", "FINISH",
]
# fmt: on
ASKED = 'a sign that says "{}"', "the words {}"
PAINTS = [("white", "black"), ("black", "white"), ("#c00", "white"), ("#fc0", "black")]


def sign(frame: Image.Image, words: str, rng: np.random.Generator) -> Image.Image:
    """The frame with a board that bears the words, a third to a half of its width."""
    size = max(12, round(frame.height * rng.uniform(0.1, 0.16)))
    font = ImageFont.load_default(size)
    ground, ink = PAINTS[rng.integers(len(PAINTS))]
    left, top, right, bottom = font.getbbox(words)
    pad = size // 2
    board = Image.new("RGB", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad), ground)
    ImageDraw.Draw(board).text((pad - left, pad - top), words, ink, font)
    width = round(frame.width * rng.uniform(0.33, 0.5))
    board = board.resize((width, max(1, round(board.height * width / board.width))))
    signed = frame.copy()
    room = np.maximum(0, np.array(frame.size) - board.size)
    x, y = (rng.uniform(0, 1, 2) * room).astype(int).tolist()
    signed.paste(board, (x, y))
    return signed


def views(model: registry.Model, frames: list[Image.Image]) -> list[Vectors]:
    """Every frame's vectors (views, dimensions), cut as the library does by default."""
    cut = []
    for frame in frames:

        def scale(width: int, height: int, frame: Image.Image = frame) -> "np.ndarray":
            return np.asarray(frame.resize((width, height), Image.Resampling.BILINEAR))

        cut.append(Views.parse("tiles").cut(scale, frame.width, frame.height, model.size))
    vectors = model.embed_images(np.concatenate(cut))
    return np.split(vectors, np.cumsum([len(one) for one in cut])[:-1])


def ranks(model: registry.Model, pool: list[Vectors], form: str) -> "np.ndarray":
    texts = model.embed_texts([form.format(words.lower()) for words in WORDS])
    scores = np.stack([(texts @ one.T).max(1) for one in pool], 1)
    return 1 + (scores > np.diag(scores)[:, None]).sum(1)


def table(videos: list[Path], model: registry.Model) -> None:
    """Print how often the frame with the asked-for words comes first, with and without its sign."""
    rng = np.random.default_rng(0)
    plain = [
        Image.fromarray(framefind.frame(str(videos[at % len(videos)]), 0.0))
        for at in range(len(WORDS))
    ]
    signed = [sign(frame, words, rng) for frame, words in zip(plain, WORDS, strict=True)]
    print(f"\n| {len(WORDS)} frames | R@1 | R@5 | R@10 | median rank |\n|---|---|---|---|---|")
    for name, pool in (
        ("with signs", views(model, signed)),
        ("without", views(model, plain)),
    ):
        for form in ASKED:
            found = ranks(model, pool, form)
            recalls = " | ".join(f"{100 * (found <= first).mean():.1f}" for first in (1, 5, 10))
            print(f"| {name}: {form.format('…')} | {recalls} | {np.median(found):g} |")
