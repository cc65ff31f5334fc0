"""What does a search cost that starts from nothing? And where a library has no words?

    python benchmarks/cold.py [--vectors 100000] [--cues 100000] [--rounds 9]

Makes two libraries of the same random vectors, one with cues and one without. Each round runs
`framefind search` once on each, and on the one without cues for pictures alone, in a process of its
own. What counts is the processor time of the process; the files are in memory.
"""

import argparse
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from framefind.models import registry
from framefind.models.base import Model
from framefind.processes import python_command
from framefind.tables.rows import CueRow, FrameRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Cue, Video
from framefind.video.views import WHOLE

QUERY = "a red car by the sea"
FRAMES = 600  # of a video, one a second
VIEWS = 4
WORDS = 5000  # of which cues are made
WORDS_PER_CUE = 9


def main() -> None:
    """Make the libraries, search them in turn, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--cues", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        worded = Path(name, "worded.framefind")
        silent = Path(name, "silent.framefind")
        make_library(worded, chosen.vectors, chosen.cues)
        make_library(silent, chosen.vectors, 0)
        searches = {
            f"{chosen.vectors:,} vectors, {chosen.cues:,} cues": [str(worded)],
            f"{chosen.vectors:,} vectors": [str(silent)],
            f"{chosen.vectors:,} vectors, --in seen": [str(silent), "--in", "seen"],
        }
        for words in searches.values():  # builds the index, and brings all files into memory
            search(words)
        costs = [[search(words) for words in searches.values()] for _ in range(chosen.rounds)]
    for kind, seconds in zip(searches, zip(*costs, strict=True), strict=True):
        spread = f"({min(seconds):.3f} to {max(seconds):.3f})"
        print(f"{kind:<36} {statistics.median(seconds):.3f} s {spread}")
    ratios = [silent / pictures_alone for _, silent, pictures_alone in costs]
    print(f"without words, to pictures alone: {statistics.median(ratios):.3f}")


def search(words: list[str]) -> float:
    """Return the processor time, in seconds, of a search in a process of its own."""
    command = [*python_command("framefind.cli"), "search", QUERY, "--library", *words]
    before = children_seconds()
    subprocess.run(command, check=True, capture_output=True)
    return children_seconds() - before


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_library(uri: Path, vectors: int, cues: int) -> None:
    """Write a library of so many vectors and cues, spread over videos of ten minutes."""
    model = registry.load("mini")
    tables = Tables.create(uri, model.fingerprint)
    rng = np.random.default_rng(0)
    frames = vectors // VIEWS
    videos = [f"{number:032x}" for number in range(-(-frames // FRAMES))]
    words = make_words(rng)
    rows = []
    cue_rows: list[CueRow] = []
    with tables.writer() as writer:
        for number, video_id in enumerate(videos):
            segment = new_segment()
            seconds = min(FRAMES, frames - number * FRAMES)
            for row in make_frames(video_id, segment, seconds, model, rng):
                writer.add(row)
            video_cues = make_cues(video_id, seconds, cues // len(videos), words, rng)
            cue_rows += video_cues
            rows.append(make_video(video_id, segment, seconds, video_cues))
        files = writer.close()
    tables.publish(files, rows, cues=tables.write_cues(cue_rows) if cue_rows else ())


def make_frames(
    video_id: str, segment: str, seconds: int, model: Model, rng: np.random.Generator
) -> Iterator[FrameRow]:
    """Yield the frames of a video, whose unit vectors spread about a centre of its own."""
    centre = rng.standard_normal(model.dimensions, np.float32)
    for t in range(seconds):
        views = centre + rng.standard_normal((VIEWS, model.dimensions), np.float32)
        views /= np.linalg.norm(views, axis=1, keepdims=True)
        yield FrameRow(video_id, segment, float(t), b"", [WHOLE] * VIEWS, views)


def make_words(rng: np.random.Generator) -> list[str]:
    letters = np.array([*"abcdefghijklmnopqrstuvwxyz"])
    return ["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(WORDS)] + ["car"]


def make_cues(
    video_id: str, seconds: int, count: int, words: list[str], rng: np.random.Generator
) -> list[CueRow]:
    """Return so many cues of a video, spread over its length."""
    segment = new_segment("speech")
    starts = np.linspace(0, seconds, count, endpoint=False)
    texts = rng.choice(words, (count, WORDS_PER_CUE))
    return [
        CueRow(video_id, segment, Cue(start, start + 2.0, " ".join(text), "speech", "en"))
        for start, text in zip(starts.tolist(), texts, strict=True)
    ]


def make_video(video_id: str, segment: str, seconds: int, cues: list[CueRow]) -> Video:
    return Video(
        video_id=video_id,
        path=f"/videos/{video_id}.mp4",
        size=1,
        modified=datetime(2026, 1, 1, tzinfo=UTC),
        duration=float(seconds),
        sampler="every=1.0",
        views="tiles",
        frames=seconds,
        segments=[segment],
        status="indexed",
        cues=len(cues),
        cue_segments=sorted({row.segment for row in cues}),
        read=["speech/none"] if cues else [],
    )


if __name__ == "__main__":
    main()
