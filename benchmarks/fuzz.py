"""Damage videos and pictures at random, index, search and serve them: nothing may break.

    python benchmarks/fuzz.py --seed 1 --cases 200 [--folder DIR]

Each case is one video and one picture, which depend on the seed and its number only; they are made
of generated ones, or of the files in a folder. Checked are: every file has a row or a reason; times
rise; frames of what was indexed can be shown; whole videos among them stay whole; a picture is
answered or refused as a query; `serve` answers every request for them, with a problem document if
not with what was asked for, and without a traceback; none of it takes longer than the limit. Prints
figures, and the numbers of the cases that fail.
"""

import argparse
import faulthandler
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from PIL import Image
from support import fuzz_requests

import framefind
from framefind.errors import FramefindError, QueryError
from framefind.library import Library
from framefind.reports import Progress

KINDS = {"mp4": "libx264", "mkv": "libx264", "ts": "libx264", "webm": "libvpx", "avi": "mpeg4"}
KINDS |= {"mpg": "mpeg2video", "wmv": "wmv2", "flv": "flv", "mov": "mjpeg"}
VIDEOS = {*KINDS, "3gp", "m2ts", "m4v", "mpeg", "mxf", "ogv", "vob"}
PICTURES = "jpg", "png", "webp", "gif", "tiff", "bmp", "avif"
WHOLE = 3  # undamaged videos among the cases


def film(path: Path, codec: str, shade: int = 0) -> Path:
    """Write three seconds of video."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = 160
        stream.height = 120
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        noise = np.random.default_rng(shade)
        for _ in range(75):
            picture = noise.integers(0, 255, (120, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def picture(path: Path) -> Path:
    """Write a picture of coloured blocks."""
    blocks = np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((20, 20, 1), np.uint8))).save(path)
    return path


def mutate(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage the bytes of a file in one of several ways; gives the way's name, too."""
    content = bytearray(data)
    size = len(data)
    way = rng.choice(["flip", "flips", "cut", "zeros", "noise", "header", "sizes", "double"])
    if way in ("flip", "flips"):
        for _ in range(1 if way == "flip" else rng.randrange(2, 200)):
            content[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif way == "cut":
        del content[rng.randrange(1, size) :]
    elif way in ("zeros", "noise"):
        count = rng.randrange(1, size // 2)
        at = rng.randrange(size)
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
    rng = random.Random(f"{seed}/{number}/{bases[0].suffix}")
    base = rng.choice(bases)
    way, data = mutate(base.read_bytes(), rng)
    suffix = base.suffix if rng.random() < 0.9 else rng.choice(bases).suffix
    path = folder / f"{number:05}{suffix}"
    path.write_bytes(data)
    return path, f"{base.suffix} {way}"


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End the process, and show where it was, if it is in here for longer."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or 2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class Watch:
    """Ends a run in which no file is done with for longer than `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._done = 0
        self._since = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Look at how far it is; raises TimeoutError."""
        if progress.done != self._done:
            self._done = progress.done
            self._since = time.monotonic()
        if time.monotonic() - self._since > self._limit:
            raise TimeoutError(f"{progress.path} takes longer than {self._limit:.0f} s")


def check_video(library: Library, path: Path) -> str | None:
    """Return what is wrong with an indexed video, or None."""
    times = library.scores("noise", video=str(path)).times.tolist()
    if not times or any(a >= b for a, b in pairwise(times)):
        return f"times do not rise: {times[:5]}"
    for t in (times[0], times[-1]):
        try:
            framefind.frame(path, t)
        except FramefindError as error:
            return f"no frame at {t}: {error}"
    return None


def check_picture(library: Library, path: Path) -> str | None:
    """Return what is wrong with the results of a picture as the query, or None."""
    try:
        library.search(image=path, limit=3)
    except QueryError as error:
        return None if path.name in str(error) else f"its name is missing: {error}"
    except Exception as error:  # anything else is what is looked for
        return f"{type(error).__name__}: {error}"
    return None


def seeds(folder: Path | None, generated: Path) -> tuple[list[Path], list[Path]]:
    """Return the videos and pictures to be damaged: those in a folder, else generated ones."""
    generated.mkdir()
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    videos = [path for path in files if path.suffix.lower()[1:] in VIDEOS]
    pictures = [path for path in files if path.suffix.lower()[1:] in (*PICTURES, "jpeg")]
    videos = videos or [film(generated / f"base.{kind}", codec) for kind, codec in KINDS.items()]
    return videos, pictures or [picture(generated / f"base.{kind}") for kind in PICTURES]


def run(
    seed: int, numbers: Sequence[int], limit: float, folder: Path, taken: Path | None = None
) -> int:
    """Run the cases, with whole videos among them; prints figures, returns how many fail."""
    films = folder / "films"
    pictures = folder / "pictures"
    films.mkdir()
    pictures.mkdir()
    videos, stills = seeds(taken, folder / "bases")
    whole = [film(films / f"whole{i}.mp4", "libx264", i + 1) for i in range(WHOLE)]
    cases = dict(make_case(films, videos, seed, number) for number in numbers)
    images = dict(make_case(pictures, stills, seed, number) for number in numbers)
    library = framefind.open(folder / "library")
    began = time.monotonic()
    report = library.index(films, views="whole", on_progress=Watch(limit))
    seconds = time.monotonic() - began
    accounted = {*report.indexed, *report.failed, *report.copied}
    failures = {}
    for path in [*whole, *(path for path in cases if str(path) in report.indexed)]:
        with limited(limit):
            wrong = check_video(library, path)
        if path in whole and (str(path) not in report.indexed or str(path) in report.partial):
            wrong = "a whole video is not whole any more"
        if wrong:
            failures[path.name] = wrong
    for path in images:
        with limited(limit):
            if wrong := check_picture(library, path):
                failures[path.name] = wrong
    if len(accounted) + report.passed_over != len(cases) + len(whole):
        failures["all"] = f"{len(accounted)} of {len(cases) + len(whole)} files are accounted for"
    requests, broken = fuzz_requests.run(library, list(images), random.Random(seed), limit)
    failures |= broken
    print(
        f"seed {seed}: {len(cases)} files in {seconds:.1f} s: {len(report.indexed)} indexed "
        f"({len(report.partial)} partial), {len(report.failed)} failed, {report.passed_over} no "
        f"videos; {len(images)} pictures, {requests} requests; {len(failures)} failures"
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
    parser.add_argument("--limit", type=float, default=30.0, help="seconds per file or request")
    parser.add_argument("--folder", type=Path, help="with videos or pictures to be damaged")
    options = parser.parse_args()
    first, last = (0, options.cases) if options.case is None else (options.case, options.case + 1)
    numbers = range(first, last)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run(options.seed, numbers, options.limit, Path(folder), options.folder) > 0)


if __name__ == "__main__":
    main()
