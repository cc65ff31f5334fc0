"""Retrieval quality of a model: captioned videos, confidence, words in the picture; as tables.

    python benchmarks/quality.py --videos VIDEOS --shards SHARDS [--model mini] [--sampler NAME …]

VIDEOS holds `captions.jsonl` and the videos that it names; SHARDS the Parquet sample of pictures.
Every sampler gets a library of its own, which is deleted in the end.
"""

import argparse
import json
import tempfile
from pathlib import Path

import labelled
import numpy as np
import signs
from samples import frames

import framefind
from framefind.evaluation import FIRST, Quality
from framefind.models import registry
from framefind.models.confidence import confidence
from framefind.search.moments import RANKS

SAMPLERS = ("every=1.0 tiles", "every=1.0 whole", "count=10 tiles", "keyframes tiles")
SIMILAR = 5  # frames that are shown for a picture query


def row(quality: Quality, sampler: str, count: int) -> str:
    recalls = " | ".join(f"{100 * quality.recall(first):.1f}" for first in FIRST)
    sure = quality.sure
    right = f"{np.mean(sure):.0%}" if sure else "none"
    return (
        f"| {sampler} | {count} | {quality.rank} | {recalls} | {quality.median_rank:g} "
        f"| {len(sure)} | {right} |"
    )


def named(videos: Path) -> list[Path]:
    """The captioned videos."""
    lines = (videos / "captions.jsonl").read_text("utf-8").split("\n")
    return [videos / json.loads(line)["video"] for line in lines if line]


def captioned(videos: Path, model: str, samplers: list[str], folder: Path) -> framefind.Library:
    """Print recall on the captioned videos per sampler and rank; returns the first library."""
    print("| sampler, views | frames | rank | R@1 | R@5 | R@10 | median | ≥ 0.5 | right |")
    print("|---|---|---|---|---|---|---|---|---|")
    libraries = []
    for at, name in enumerate(samplers):
        sampler, views = name.split()
        library = framefind.open(folder / f"{at}.framefind")
        library.index(named(videos), model=model, sampler=sampler, views=views)
        for rank in RANKS if at == 0 else RANKS[:1]:
            quality = library.evaluate(videos / "captions.jsonl", rank=rank)
            print(row(quality, name, library.status().frames), flush=True)
        libraries.append(library)
    return libraries[0]


def similar(library: framefind.Library, model: registry.Model) -> None:
    """Print how often a picture query, a frame, finds frames of its own video when it is sure."""
    neutral, own = registry.neutral(model), frames(library)
    wholes = np.concatenate([[views[0] for views in video] for video in own.values()])
    video = np.repeat(np.arange(len(own)), [len(one) for one in own.values()])
    scores = np.float32(100) * wholes @ wholes.T
    np.fill_diagonal(scores, -np.inf)  # not itself
    sure, right = [], []
    for at, query in enumerate(wholes):
        shown = np.argsort(-scores[at], kind="stable")[:SIMILAR]
        sure += confidence(scores[at, shown], query, wholes[shown], neutral).tolist()
        right += (video[shown] == video[at]).tolist()
    over = np.array(sure) >= 0.5
    print(
        f"\nA frame as the query, its {SIMILAR} likest others: {np.mean(right):.0%} of its video;"
    )
    print(f"of those with confidence ≥ 0.5 ({over.mean():.0%}) {np.array(right)[over].mean():.0%}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--sampler", nargs="*", default=SAMPLERS, help='such as "count=10 tiles"')
    options = parser.parse_args()
    model = registry.load(options.model)
    print(f"\n## {model.name}\n")
    with tempfile.TemporaryDirectory() as folder:
        library = captioned(options.videos, options.model, options.sampler, Path(folder))
        similar(library, model)
        neutral = registry.neutral(model)
        labelled.table(labelled.results(options.shards, model, neutral), neutral)
        signs.table(named(options.videos), model)


if __name__ == "__main__":
    main()
