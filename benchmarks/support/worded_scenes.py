"""Joined clips with words: what is said and written over each, and questions that ask for it.

Each clip has captions, which tell what is seen. Over it somebody says two sentences of one of the
topics, a subtitle quotes a line that no other clip has, and over half of the clips a sign is drawn
onto the picture. Each clip comes twice, with other words, and
topics come back over six: for a question that has both, neither pictures nor words alone tell
which one is meant. Between them, and for an hour over a dark picture, somebody chats
in the captions' words about other things, so that words can mislead.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from support.joined_clips import HEIGHT, WIDTH, write_joined_clips

Kind = Literal["seen", "words", "both"]

TOPICS = {
    "the quarterly budget": (
        "our quarterly budget does not cover the new offices",
        "if the budgets for this quarter are cut we lose two people",
    ),
    "a ferry to the island": (
        "the last ferry to the island leaves at half past nine",
        "ferries do not reach that island when the wind is strong",
    ),
    "grandmother's recipe": (
        "my grandmother never wrote this recipe down",
        "every recipe of my grandmother begins with butter",
    ),
    "an election result": (
        "the election results will be published on Sunday",
        "nobody expected such a result in a local election",
    ),
    "vaccines": (
        "the vaccine has to be stored below minus seventy degrees",
        "two doses of the vaccines are enough for most children",
    ),
    "an earthquake warning": (
        "an earthquake of that size comes once in a century",
        "the warning reached us ten seconds before the earthquake",
    ),
    "repairing an engine": (
        "we took the engine apart and repaired both valves",
        "an engine like this can be repaired with simple tools",
    ),
    "black holes": (
        "not even light can leave a black hole",
        "two black holes circled each other for a billion years",
    ),
    "photosynthesis": (
        "photosynthesis turns light and carbon dioxide into sugar",
        "without photosynthesis there would be no oxygen here",
    ),
    "a lost passport": (
        "I lost my passport somewhere between the gate and the taxi",
        "you can report a lost passport at any embassy",
    ),
    "learning the violin": (
        "she learned the violin when she was four years old",
        "a violin is hard to learn without a patient teacher",
    ),
    "interest rates": (
        "the bank raised interest rates for the third time",
        "higher interest rates make a mortgage expensive",
    ),
    "the moon landing": (
        "everyone remembers where they were during the moon landing",
        "the computer of the moon landing had four kilobytes",
    ),
    "bees and honey": (
        "a single bee makes a spoon of honey in its life",
        "honey never spoils if the bees have sealed it",
    ),
    "a divorce": (
        "after the divorce they shared the house for a year",
        "the lawyer advised against a quick divorce",
    ),
    "an archaeological dig": (
        "the archaeologists found a mosaic under the parking lot",
        "archaeology is mostly washing broken pottery",
    ),
    "password security": (
        "a long password is better than a complicated one",
        "never send your password to anybody by mail",
    ),
    "the marathon record": (
        "he broke the marathon record by eleven seconds",
        "a marathon is won in the last seven kilometres",
    ),
    "insomnia": (
        "insomnia gets worse if you look at the clock",
        "half of the patients with insomnia also snore",
    ),
    "glaciers": (
        "the glacier has lost a third of its ice since then",
        "under the glaciers there are rivers nobody has mapped",
    ),
    "the customs inspection": (
        "the customs officer inspected every single crate",
        "at the inspection customs kept the samples",
    ),
    "a scholarship": (
        "the scholarship pays for three semesters abroad",
        "only one in forty gets this scholarship",
    ),
}
"""What a question calls it, and two sentences about it."""

SIGNS = (
    "LAUNDROMAT", "HOTEL AURORA", "EXIT 14B", "PHARMACIE", "NO PARKING", "TICKETS", "GATE C7",
    "BAKERY & CAFE", "CAUTION WET FLOOR", "ROOM 208", "LIBRARY", "Zahnarzt", "FRESH OYSTERS",
    "PLATFORM 9", "SOLD OUT", "EMERGENCY", "CINÉMA LUMIÈRE", "BARBER SHOP", "KM 355,4", "TOLL",
    "GARAGE SALE", "Bürgeramt", "FIRE HOSE", "UNDER REPAIR", "RIVERSIDE INN", "MUSEO", "LOT 42",
    "DRY CLEANING", "POST OFFICE", "VETERINARIAN", "BUS 61", "PIZZERIA NAPOLI", "FLORIST",
)  # fmt: skip

_FONT = "DejaVuSans.ttf"  # Pillow's own lacks letters with accents, and draws boxes for them

TAKES = 2
"""How often each clip comes."""

SPOKEN_SECONDS = 15.0
"""How long a clip is at least, if a voice is to say each sentence in its third of the clip."""

_WHO = ("my uncle", "the neighbour", "your sister", "our teacher", "the doctor", "a stranger",
        "the mayor", "her cousin", "the captain", "his boss", "the plumber")  # fmt: skip
_DID = ("promised to bring", "has forgotten", "wants to sell", "keeps talking of", "is afraid of",
        "paid too much for", "cannot find")  # fmt: skip
_THINGS = ("the green umbrella", "that old piano", "a box of letters", "the spare key",
         "the wedding photos", "two concert seats", "a bag of lemons", "the broken radio",
         "your winter boots")  # fmt: skip
_CHATTER = (
    ("a man", "the dog", "two young men", "my cat", "a woman in red", "the girl", "people",
     "her baby", "the white car", "some students", "a good friend", "nobody", "the old couple"),
    ("talks about", "walks past", "looks at", "runs to", "sits by", "plays with", "waits for",
     "turns to", "drives round", "does not like", "could see", "asks for", "holds"),
    ("the street", "the kitchen", "a cup of coffee", "the blue jacket", "the park", "the flowers",
     "a glass of water", "the building", "that suit", "the field", "her head", "the black bike",
     "the office", "the snow", "his hands", "the road", "a cake"),
    ("today", "at night", "by the window", "in front of everybody", "again", "with glasses on",
     "in the dark", "after the match", "as if it were nothing", "on the phone", "for an hour"),
)  # fmt: skip
"""Parts of sentences that are said of something else than what is seen."""

RADIO_SECONDS = 3600
_RADIO_PICTURES = 60
_TOPIC_SHARE = 0.03  # of its sentences

Span = tuple[str, float, float]
"""A file, and from when to when, in seconds."""


@dataclass(frozen=True)
class WordCue:
    """What is said or written, where, and where it comes from."""

    span: Span
    source: Literal["subtitles", "speech", "screen"]
    text: str


@dataclass(frozen=True)
class Question:
    """A question, its kind, and the spans that answer it; `how` tells questions of words apart."""

    text: str
    kind: Kind
    spans: list[Span]
    how: str = ""


@dataclass(frozen=True)
class WordedScenes:
    """Videos, what their words are, and what is asked for; `spoken` asks for a sentence a clip."""

    videos: list[Path]
    cues: list[WordCue]
    questions: list[Question]
    spoken: list[Question]


@dataclass(frozen=True)
class _Clip:
    """A clip in a joined video, and its words."""

    span: Span
    captions: list[str]
    topic: str
    quote: str
    chatter: str
    sign: str | None


def write_worded_scenes(
    videos: Path, folder: Path, seconds: float = 0.0, seed: int = 0
) -> WordedScenes:
    """Join the clips that `captions.jsonl` of `videos` names, with signs and subtitle files.

    Those that are shorter than `seconds` end with a still picture.
    """
    clips: list[_Clip] = []
    chance = random.Random(seed)
    quotes = [f"{who} {did} {thing}" for who in _WHO for did in _DID for thing in _THINGS]
    chance.shuffle(quotes)
    for take in range(TAKES):
        take_folder = folder / str(take)
        take_folder.mkdir()
        signs = {TAKES * at + take: sign for at, sign in enumerate(SIGNS)}
        captions = write_joined_clips(
            videos, take_folder, seed + take, partial(_draw, signs), seconds
        )
        topics = chance.sample([*TOPICS] * 3, 3 * len(TOPICS))
        for at, line in enumerate(captions.read_text("utf-8").splitlines()):
            caption = json.loads(line)
            span = (str(take_folder / caption["video"]), caption["start"], caption["end"])
            words = (topics[at % len(topics)], quotes.pop(), _chat(chance))
            clips.append(_Clip(span, caption["texts"], *words, signs.get(at)))
    radio = _write_radio(folder / "radio.mp4")
    cues = [cue for clip in clips for cue in _say(clip)] + list(_talk(radio, chance))
    files = sorted({clip.span[0] for clip in clips})
    for file in files:
        _write_subtitles(Path(file), [cue for cue in cues if cue.span[0] == file])
    spoken = [Question(clip.chatter, "words", [clip.span], "spoken") for clip in clips]
    return WordedScenes([*map(Path, files), radio], cues, list(_ask_all(clips)), spoken)


def _chat(chance: random.Random) -> str:
    return " ".join(chance.choice(part) for part in _CHATTER)


def _talk(file: Path, chance: random.Random) -> Iterator[WordCue]:
    """Yield an hour of chatter, in which the topics come up now and then."""
    sentences = [sentence for pair in TOPICS.values() for sentence in pair]
    for start in range(0, RADIO_SECONDS, 3):
        text = chance.choice(sentences) if chance.random() < _TOPIC_SHARE else _chat(chance)
        yield WordCue((str(file), start, start + 3), "speech", text)


def _write_radio(file: Path) -> Path:
    """Write a video of few dark pictures, over which somebody talks."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", 1, {"crf": "30"})
        stream.width = WIDTH
        stream.height = HEIGHT
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1)
        for at in range(_RADIO_PICTURES + 1):
            pixels = np.full((HEIGHT, WIDTH, 3), 8 + at % 8, np.uint8)
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts = at * RADIO_SECONDS // _RADIO_PICTURES
            picture.time_base = Fraction(1)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file


def _draw(signs: dict[int, str], picture: Image.Image, clip: int) -> None:
    if clip in signs:
        draw_sign(picture, signs[clip])


def draw_sign(picture: Image.Image, text: str) -> None:
    """Draw a white sign of a twelfth of the height onto a picture."""
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(_FONT, HEIGHT / 14)
    left, top, right, bottom = pen.textbbox((WIDTH / 16, HEIGHT / 12), text, font)
    pen.rectangle((left - 6, top - 5, right + 6, bottom + 5), "white")
    pen.text((WIDTH / 16, HEIGHT / 12), text, "black", font)


def _say(clip: _Clip) -> Iterator[WordCue]:
    """Yield the cues of a clip: speech one sentence after the other, subtitles beside it."""
    file, start, end = clip.span
    third = (end - start) / 3
    first, second = TOPICS[clip.topic]
    for nth, sentence in enumerate((first, clip.chatter, second)):
        span = (file, start + nth * third, start + (nth + 1) * third)
        yield WordCue(span, "speech", sentence)
    yield WordCue((file, start + third / 2, end - third / 2), "subtitles", clip.quote)
    if clip.sign:
        yield WordCue(clip.span, "screen", clip.sign)


def _ask_all(clips: list[_Clip]) -> Iterator[Question]:
    """Yield all questions; what is seen, or written, may answer in several places."""
    takes: defaultdict[str, list[Span]] = defaultdict(list)
    signs: defaultdict[str, list[Span]] = defaultdict(list)
    for clip in clips:
        for caption in clip.captions:
            takes[caption].append(clip.span)
        if clip.sign:
            signs[clip.sign].append(clip.span)
    for caption, spans in takes.items():
        yield Question(caption, "seen", spans)
    for sign, spans in signs.items():
        yield Question(sign.lower(), "words", spans, "read")
        yield Question(f"a sign that says {sign.title()}", "words", spans, "read")
    for clip in clips:
        yield from _ask(clip)


def _ask(clip: _Clip) -> Iterator[Question]:
    """Yield the questions that this take of a clip alone answers."""
    spans = [clip.span]
    words = clip.quote.split()
    yield Question(f'"{clip.quote}"', "words", spans, "quoted")
    yield Question(f"{' '.join(words[:2])} and {' '.join(words[-2:])}", "words", spans, "said")
    yield Question(f"{clip.captions[0]}, talking about {clip.topic}", "both", spans)
    yield Question(f"{clip.topic}, {clip.captions[1]}", "both", spans)
    if clip.sign:
        yield Question(f"{clip.captions[1]} and the words {clip.sign.lower()}", "both", spans)


def _write_subtitles(video: Path, cues: list[WordCue]) -> None:
    """Write the subtitles of a video into a file beside it."""
    lines = [cue for cue in cues if cue.source == "subtitles"]
    blocks = [
        f"{number}\n{_clock(cue.span[1])} --> {_clock(cue.span[2])}\n{cue.text}\n"
        for number, cue in enumerate(lines, 1)
    ]
    video.with_suffix(".srt").write_text("\n".join(blocks), "utf-8")


def _clock(seconds: float) -> str:
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    return f"00:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
