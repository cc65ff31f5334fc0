"""Damage videos at random, index them, and check that nothing breaks.

    python benchmarks/fuzz.py --seed 1 --cases 200

Each case is one file, which depends on the seed and its number only. Checked are: every file has a
row or a reason; times rise; frames of what was indexed can be shown; whole videos among them stay
whole; no file takes longer than the limit. Prints figures, and the numbers of the cases that fail.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

import framefind
from framefind.errors import FramefindError
from framefind.library import Library

KINDS = {"mp4": "libx264", "mkv": "libx264", "ts": "libx264", "webm": "libvpx", "avi": "mpeg4"}
KINDS |= {"mpg": "mpeg2video", "wmv": "wmv2", "flv": "flv", "mov": "mjpeg"}
WHOLE = 3  # undamaged videos among the cases


def film(path: Path, codec: str, shade: int = 0) -> Path:
    """Write three seconds of video."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 160, 120
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        noise = np.random.default_rng(shade)
        for _ in range(75):
            picture = noise.integers(0, 255, (120, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def mutate(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage the bytes of a file in one of several ways; gives the way's name, too."""
    content, size = bytearray(data), len(data)
    way = rng.choice(["flip", "flips", "cut", "zeros", "noise", "header", "sizes", "double"])
    if way in ("flip", "flips"):
        for _ in range(1 if way == "flip" else rng.randrange(2, 200)):
            content[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif way == "cut":
        del content[rng.randrange(1, size) :]
    elif way in ("zeros", "noise"):
        count, at = rng.randrange(1, size // 2), rng.randrange(size)
        hole = bytes(count) if way == "zeros" else rng.randbytes(count)
        content[at : at + count] = hole[: size - at]
    elif way == "header":
        for _ in range(rng.randrange(1, 9)):
            content[rng.randrange(min(size, 512))] = rng.randrange(256)
    elif way == "sizes":  # fields in the head or the tail that claim a lot
        at = rng.choice([rng.randrange(min(size, 2048)), size - 1 - rng.randrange(min(size, 2048))])
        content[at : at + 4] = rng.choice([b"\xff" * 4, b"\x7f" + b"\xff" * 3, bytes(4)])
    else:
        content += content[rng.randrange(size) :]
    return way, bytes(content)


def make_case(folder: Path, bases: list[Path], seed: int, number: int) -> tuple[Path, str]:
    """Write the file of one case."""
    rng = random.Random(f"{seed}/{number}")
    base = rng.choice(bases)
    way, data = mutate(base.read_bytes(), rng)
    suffix = base.suffix if rng.random() < 0.9 else rng.choice(bases).suffix
    path = folder / f"{number:05}{suffix}"
    path.write_bytes(data)
    return path, f"{base.suffix} {way}"


def check_video(library: Library, path: Path, limit: float) -> str | None:
    """What is wrong with an indexed video, or None."""
    began = time.monotonic()
    times = library.scores("noise", video=str(path)).times.tolist()
    if not times or any(a >= b for a, b in pairwise(times)):
        return f"times do not rise: {times[:5]}"
    for t in (times[0], times[-1]):
        try:
            framefind.frame(path, t)
        except FramefindError as error:
            return f"no frame at {t}: {error}"
    seconds = time.monotonic() - began
    return f"took {seconds:.0f} s to show" if seconds > limit else None


def run(seed: int, numbers: range, limit: float, folder: Path) -> int:
    """Index the cases and whole videos; prints figures, returns the number of failures."""
    films, bases = folder / "films", folder / "bases"
    films.mkdir()
    bases.mkdir()
    made = [film(bases / f"base.{kind}", codec) for kind, codec in KINDS.items()]
    whole = [film(films / f"whole{i}.mp4", "libx264", i + 1) for i in range(WHOLE)]
    cases = dict(make_case(films, made, seed, number) for number in numbers)
    library = framefind.open(folder / "library")
    began = time.monotonic()
    report = library.index(films, views="whole")
    seconds = time.monotonic() - began
    known = {*report.indexed, *report.failed, *report.copied}
    failures = {}
    for path in [*whole, *(path for path in cases if str(path) in report.indexed)]:
        wrong = check_video(library, path, limit)
        if path in whole and (str(path) not in report.indexed or str(path) in report.partial):
            wrong = "a whole video is not whole any more"
        if wrong:
            failures[path.name] = wrong
    if len(known) + report.passed_over != len(cases) + len(whole):
        failures["all"] = f"{len(known)} of {len(cases) + len(whole)} files are accounted for"
    if seconds > limit * (len(cases) + len(whole)):
        failures["time"] = f"{seconds:.0f} s"
    print(
        f"seed {seed}: {len(cases)} files in {seconds:.1f} s: {len(report.indexed)} indexed "
        f"({len(report.partial)} partial), {len(report.failed)} failed, {report.passed_over} no "
        f"videos; {len(failures)} failures"
    )
    unnoticed = Counter(
        way for path, way in cases.items() if str(path) in {*report.indexed} - {*report.partial}
    )
    print("indexed as whole:", ", ".join(f"{way} {n}" for way, n in unnoticed.most_common(12)))
    for name, wrong in failures.items():
        print(f"FAILED {name}: {wrong}", file=sys.stderr)
    return len(failures)


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--case", type=int, help="this one only")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds per file")
    asked = parser.parse_args()
    numbers = range(asked.cases) if asked.case is None else range(asked.case, asked.case + 1)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run(asked.seed, numbers, asked.limit, Path(folder)) > 0)


if __name__ == "__main__":
    main()
