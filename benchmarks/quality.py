"""Retrieval quality of a model: captioned videos, times of moments, confidence; as tables.

    python benchmarks/quality.py --videos VIDEOS --shards SHARDS [--model mini] [--sampler NAME …]

VIDEOS holds `captions.jsonl` and the videos that it names; SHARDS the Parquet sample of pictures.
Every sampler gets a library of its own, which is deleted in the end.

Times of moments: the captions describe whole clips and have no times, so clips are joined to longer
videos (`support/joined_clips.py`), and a clip's captions describe the span that it takes there. A
query's moment is the best one of the right video. Beside it stand two answers that know nothing of
the pictures: the whole video, and three spans of the right length at random places. Then the same
on spans of scenes that were labelled by hand (`support/scene_spans.jsonl`).
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support import labelled
from support.joined_clips import write_joined_clips
from support.samples import frames

import framefind
from framefind.evaluation import FIRST, Quality
from framefind.models import registry
from framefind.models.base import Model
from framefind.models.confidence import confidence
from framefind.models.neutral import load_neutral
from framefind.types import RANKS
from framefind.video.decode import Video

SAMPLERS = ("every=1.0 tiles", "every=1.0 whole", "count=10 tiles", "keyframes tiles")
SCENE_SPANS = Path(__file__).parent / "support" / "scene_spans.jsonl"
OVERLAPS = (0.3, 0.5, 0.7)  # intersection over union
BETWEEN_KEYFRAMES = (50.0, 1.0)  # seconds, at most, in joined clips
NEIGHBOURS = 5  # frames that are shown for a frame as the query


def main() -> None:
    """Print all tables of a model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--sampler", nargs="*", default=SAMPLERS, help='such as "count=10 tiles"')
    options = parser.parse_args()
    model = registry.load(options.model)
    neutral = load_neutral(model)
    print(f"\n## {model.name}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = evaluate_captions(options.videos, options.model, options.sampler, folder)
        for seconds in BETWEEN_KEYFRAMES:
            print(f"\nkeyframes every {seconds:g} s")
            joined = write_joined_clips(options.videos, folder, between_keyframes=seconds)
            evaluate_moments(joined, folder, options.model, options.sampler)
        evaluate_moments(SCENE_SPANS, options.videos / "scenes", options.model, options.sampler)
        evaluate_frames(library, model)
        labelled.table(labelled.results(options.shards, model, neutral), neutral)


def evaluate_captions(
    videos: Path, model: str, samplers: list[str], folder: Path
) -> framefind.Library:
    """Print recall on the captioned videos per sampler and rank; return the first library."""
    print("| sampler, views | frames | rank | R@1 | R@5 | R@10 | median | ≥ 0.5 | right |")
    print("|---|---|---|---|---|---|---|---|---|")
    captions = videos / "captions.jsonl"
    names = [json.loads(line)["video"] for line in captions.read_text("utf-8").split("\n") if line]
    libraries = []
    for number, name in enumerate(samplers):
        sampler, views = name.split()
        library = framefind.open(folder / f"{number}.framefind")
        paths = [videos / path for path in names]
        library.index(paths, model=model, sampler=sampler, views=views)
        for rank in RANKS if number == 0 else RANKS[:1]:
            quality = library.evaluate(captions, rank=rank)
            print(_recall_row(quality, name, library.status().frames), flush=True)
        libraries.append(library)
    return libraries[0]


def _recall_row(quality: Quality, sampler: str, frames: int) -> str:
    recalls = " | ".join(f"{100 * quality.recall(first):.1f}" for first in FIRST)
    confident = quality.likely
    right = f"{np.mean(confident):.0%}" if confident else "none"
    return (
        f"| {sampler} | {frames} | {quality.rank} | {recalls} | {quality.median_rank:g} "
        f"| {len(confident)} | {right} |"
    )


def evaluate_moments(captions: Path, videos: Path, model: str, samplers: list[str]) -> None:
    """Print how well moments overlap the spans that captions of `videos` describe, per sampler."""
    spans = [json.loads(line) for line in captions.read_text("utf-8").split("\n") if line]
    for span in spans:
        span["video"] = str((videos / span["video"]).resolve())
    paths = sorted({span["video"] for span in spans})
    print("\n| sampler, views | R@1 | touches the span | mIoU | ≥ 0.3 | ≥ 0.5 | ≥ 0.7 |")
    print("|---|---|---|---|---|---|---|")
    durations = [_read_duration(span["video"]) for span in spans]
    for name, overlaps in _baselines(spans, durations).items():
        print(f"| {name} | | | {_overlap_columns(overlaps)} |")
    for name in samplers:
        sampler, views = name.split()
        with tempfile.TemporaryDirectory() as folder:
            library = framefind.open(Path(folder, "l.framefind"))
            library.index(paths, model=model, sampler=sampler, views=views)
            resolved = Path(folder, "captions.jsonl")
            resolved.write_text("".join(json.dumps(span) + "\n" for span in spans), "utf-8")
            quality = library.evaluate(resolved)
        touches = statistics.fmean(bool(answer.iou) for answer in quality.answers)
        columns = f"{100 * quality.recall(1):.1f} | {100 * touches:.1f}"
        print(f"| {name} | {columns} | {_overlap_columns(quality.ious)} |", flush=True)


def _read_duration(path: str) -> float:
    with Video(path) as video:
        return video.duration or 0.0


def _baselines(spans: list[dict[str, Any]], durations: Sequence[float]) -> dict[str, list[float]]:
    """Return the overlaps (intersection over union) of answers that look at no picture.

    `durations` are those of the spans' videos, in seconds.
    """
    rng = random.Random(0)
    whole: list[float] = []
    placed: list[float] = []
    for span, duration in zip(spans, durations, strict=True):
        length = span["end"] - span["start"]
        for _ in span["texts"]:
            whole.append(length / duration)
            for _ in range(3):
                shift = abs(rng.uniform(0, max(0.0, duration - length)) - span["start"])
                placed.append(max(0.0, length - shift) / (length + shift))
    return {"the whole video": whole, "right length, random place": placed}


def _overlap_columns(overlaps: list[float]) -> str:
    shares = [statistics.fmean(overlap >= bound for overlap in overlaps) for bound in OVERLAPS]
    return " | ".join(f"{100 * share:.1f}" for share in (statistics.fmean(overlaps), *shares))


def evaluate_frames(library: framefind.Library, model: Model) -> None:
    """Print how often a frame as the query finds frames of its own video when it is confident."""
    neutral = load_neutral(model)
    videos = frames(library)
    wholes = np.concatenate([[views[0] for views in video] for video in videos.values()])
    owner = np.repeat(np.arange(len(videos)), [len(video) for video in videos.values()])
    scores = np.float32(100) * wholes @ wholes.T
    np.fill_diagonal(scores, -np.inf)  # not itself
    confidences: list[float] = []
    right: list[bool] = []
    for query, row in enumerate(scores):
        nearest = np.argsort(-row, kind="stable")[:NEIGHBOURS]
        shown = wholes[nearest]
        confidences += confidence(row[nearest], wholes[query], shown, neutral).tolist()
        right += (owner[nearest] == owner[query]).tolist()
    confident = np.array(confidences) >= 0.5
    print(f"\nA frame as the query, its {NEIGHBOURS} nearest: {np.mean(right):.0%} of its video;")
    print(f"of those with confidence ≥ 0.5 ({confident.mean():.0%}) ", end="")
    print(f"{np.array(right)[confident].mean():.0%}.")


if __name__ == "__main__":
    main()
