"""Text on screen: which signs are read, what is read where there is none, and what that costs.

    python benchmarks/screen.py --videos VIDEOS [--fonts FILE …] [--every 1.0] [--list]

VIDEOS holds real clips. Signs are drawn onto one frame of each, scaled to 1280 × 720, in letters
whose em is a part of the frame's height, and encoded by x264; a sign counts as read where a cue of
its frame holds all its letters and digits, accents folded as the index of words folds them. The
clips themselves are read as `index` samples them; the cost is processor time of the reader alone.
--list prints each cue of the clips: whether its text is there is for eyes to say.
"""

import argparse
import random
import statistics
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from framefind.types import Cue
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler
from framefind.words.screen import ScreenReader

SIZE = (1280, 720)
HEIGHTS = (16, 30, 45)  # a letter's em is the frame's height over it
FONTS = (
    "DejaVuSans.ttf",
    "LiberationSans-Bold.ttf",
    "LiberationSerif-Regular.ttf",
    "LiberationSansNarrow-Regular.ttf",
)
FILMS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
TEXTS = (
    "Laundromat",
    "Exit 12B",
    "Café Müller",
    "No parking 8-18 h",
    "Platform 9",
    "Boulangerie Pâtisserie",
    "Sale 50 %",
    "Straße gesperrt",
    "Quarterly revenue",
    "Gate C27",
    "Señor Núñez",
    "Open 24 hours",
    "Breaking news",
    "Chapter three",
    "Prof. Ada Lovelace",
)
STYLES = {"black on white": ("black", "white"), "white on black": ("white", "black")}
OUTLINED = "white with an outline"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--fonts", nargs="*", default=FONTS, help="files with accents")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two frames")
    parser.add_argument("--list", action="store_true", help="print each cue of the clips")
    options = parser.parse_args()
    paths = [path for path in sorted(options.videos.rglob("*")) if path.suffix.lower() in FILMS]
    with tempfile.TemporaryDirectory() as folder:
        print_signs(paths, options.fonts, Path(folder) / "signs.mkv")
    print_clips(paths, options.every, options.list)


def print_signs(paths: list[Path], fonts: Sequence[str], file: Path) -> None:
    """Print how many signs of each height and style are read."""
    backgrounds = [first_frame(path) for path in paths]
    styles = [*STYLES, OUTLINED]
    print(f"\n| signs read of {len(backgrounds)} | {' | '.join(styles)} | together |")
    print("|---|" + "---|" * (len(styles) + 1))
    for height in HEIGHTS:
        counts = []
        for style in styles:
            chance = random.Random(f"{height} {style}")
            texts = [chance.choice(TEXTS) for _ in backgrounds]
            letters = [ImageFont.truetype(font, SIZE[1] // height) for font in fonts]
            signs = zip(backgrounds, texts, cycle(letters))
            write(file, [draw(*sign, style, chance) for sign in signs])
            cues, _ = read(file, 1.0)
            counts.append(sum(is_read(text, t, cues) for t, text in enumerate(texts)))
        share = sum(counts) / (len(styles) * len(backgrounds))
        print(f"| 1/{height} | {' | '.join(map(str, counts))} | {share:.1%} |")


def draw(
    background: NDArray[np.uint8],
    text: str,
    font: ImageFont.FreeTypeFont,
    style: str,
    chance: random.Random,
) -> NDArray[np.uint8]:
    """Return a frame with a sign at a place by chance."""
    picture = Image.fromarray(background)
    canvas = ImageDraw.Draw(picture)
    em = int(font.size)
    left, top, right, bottom = canvas.textbbox((0, 0), text, font)
    x = chance.randrange(em, int(SIZE[0] - (right - left) - em))
    y = chance.randrange(em, int(SIZE[1] - (bottom - top) - em))
    if style == OUTLINED:
        canvas.text((x - left, y - top), text, "white", font, stroke_width=2, stroke_fill="black")
    else:
        ink, plate = STYLES[style]
        margin = em / 2
        sides = (x - margin, y - margin, x + right - left + margin, y + bottom - top + margin)
        canvas.rectangle(sides, plate)
        canvas.text((x - left, y - top), text, ink, font)
    return np.asarray(picture)


def is_read(text: str, t: float, cues: list[Cue]) -> bool:
    """Return whether a cue of the frame at `t` holds a text."""
    return any(plain(text) in plain(cue.text) for cue in cues if cue.start <= t < cue.end)


def plain(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def write(file: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """Write a film of one picture a second."""
    with av.open(file, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1))
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def print_clips(paths: list[Path], every: float, is_listed: bool) -> None:
    """Print what reading real clips costs and gives."""
    costs = []
    count = 0
    for path in paths:
        cues, spent = read(path, every)
        costs += spent
        count += len(cues)
        for cue in cues if is_listed else []:
            print(f"{path.name}  {cue.start:.2f}-{cue.end:.2f}  {cue.text}")
    mean = 1000 * statistics.mean(costs)
    print(
        f"\n{len(paths)} clips, {len(costs)} frames: {count} cues; {mean:.1f} ms of a core a frame "
        f"(median {1000 * statistics.median(costs):.1f}, most {1000 * max(costs):.1f})"
    )


def read(path: Path, every: float) -> tuple[list[Cue], list[float]]:
    """Return the cues of a video, and the seconds of processor time that each frame took."""
    reader = ScreenReader()
    cues = []
    costs = []
    with Video(path, threads=1) as video:
        for frame in sample(video, every):
            begun = time.process_time()
            cues += reader.add(frame)
            costs.append(time.process_time() - begun)
            last = frame
        cues += reader.finish(video.end(last))
    return cues, costs


def sample(video: Video, every: float) -> Iterator[object]:
    return video.frames(parse_sampler(f"every={every:g}"))


def first_frame(path: Path) -> NDArray[np.uint8]:
    with Video(path, threads=1) as video:
        return next(iter(sample(video, 1.0))).scale(*SIZE)


if __name__ == "__main__":
    main()
