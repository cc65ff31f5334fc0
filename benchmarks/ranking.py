"""Which rank of videos is right: sum, max or softmax, over hits or over all frames, how sharp?

    python benchmarks/ranking.py --shards SHARDS [--library LIBRARY --captions CAPTIONS]

SHARDS holds the Parquet sample of pictures. Made-up videos decide: each is a few scenes, a scene is
a captioned picture (Flickr8k test, COCO), held for some frames that shift, zoom and change in
light; a query is a caption of one scene. They come in three kinds: one scene, many scenes, and
lengths mixed. Captioned real videos, indexed in LIBRARY, only report.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from samples import Vectors, frames, samples

import framefind
from framefind.evaluation import read
from framefind.models import registry
from framefind.search import moments

Scores = NDArray[np.float64]  # cosines, (queries, frames)
Ranks = dict[str, NDArray[np.int64]]
LOOKS = 6  # of each picture
KINDS = {"one scene": (1, 1), "many scenes": (3, 12), "mixed lengths": (1, 12)}


def softmax(sharpness: float) -> Callable[[Scores], Scores]:
    """Mean weighted by exp(sharpness × cosine), per query (rows)."""

    def rank(scores: Scores) -> Scores:
        weight = np.exp(sharpness * (scores - scores.max(1, keepdims=True)))
        return (scores * weight).sum(1) / weight.sum(1)

    return rank


def soft_maximum(sharpness: float) -> Callable[[Scores], Scores]:
    """Logarithm of the mean of exp(sharpness × cosine)."""

    def rank(scores: Scores) -> Scores:
        top = scores.max(1)
        return top + np.log(np.exp(sharpness * (scores - top[:, None])).mean(1)) / sharpness

    return rank


def over_hits(rule: str, scale: float) -> Callable[[Scores], Scores]:
    """As the library ranks."""

    def rank(scores: Scores) -> Scores:
        hit = scores >= scores.max(1, keepdims=True) - moments.margin(scale) / 100
        if rule == "sum":
            return np.asarray((scores * hit).sum(1))
        weight = np.exp(scale * (scores - scores.max(1, keepdims=True))) * hit
        return (scores * weight).sum(1) / weight.sum(1)

    return rank


def rules(scale: float) -> dict[str, Callable[[Scores], Scores]]:
    return {
        "sum of all frames": lambda scores: scores.sum(1),
        "sum of hits": over_hits("sum", scale),
        "mean of all frames": lambda scores: scores.mean(1),
        "max": lambda scores: scores.max(1),
        "softmax of hits": over_hits("softmax", scale),
        **{f"softmax of all, {k:g} × scale": softmax(k * scale) for k in (0.25, 0.5, 1, 2, 4)},
        **{f"soft maximum, {k:g} × scale": soft_maximum(k * scale) for k in (0.25, 0.5, 1, 2, 4)},
    }


@dataclass
class Captioned:
    """Pictures with their captions; vectors float32 (pictures, looks, dimensions)."""

    captions: list[list[str]]
    vectors: Vectors


def looks(picture: Image.Image, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """The same scene a little later: moved, nearer, in other light."""
    for _ in range(LOOKS):
        side = rng.uniform(0.7, 1) * np.array(picture.size)
        left, top = rng.uniform(0, 1, 2) * (picture.size - side)
        box = (left, top, left + side[0], top + side[1])
        part = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
        yield np.asarray(ImageEnhance.Brightness(part).enhance(rng.uniform(0.7, 1.2)))


def captioned(shards: Path, model: registry.Model) -> Captioned:
    rng = np.random.default_rng(0)
    found = samples(shards, [("flickr8k", "test"), ("coco", "train")])
    shown = [look for one in found for look in looks(one.picture, model.size, rng)]
    vectors = model.embed_images(np.stack(shown))
    return Captioned([one.texts for one in found], vectors.reshape(len(found), LOOKS, -1))


def made_up(
    data: Captioned, scenes: tuple[int, int], rng: np.random.Generator
) -> tuple[list[Vectors], list[str]]:
    """Videos as the vectors of their frames, and one query for each."""
    left = list(rng.permutation(len(data.captions)))
    videos, queries = [], []
    while len(left) >= scenes[1]:
        own = [left.pop() for _ in range(rng.integers(scenes[0], scenes[1] + 1))]
        lengths = [max(1, round(rng.lognormal(1.2, 0.8))) for _ in own]
        held = zip(own, lengths, strict=True)
        shown = [data.vectors[one, rng.integers(0, LOOKS, length)] for one, length in held]
        videos.append(np.concatenate(shown))
        queries.append(str(rng.choice(data.captions[own[rng.integers(len(own))]])))
    return videos, queries


def ranks(scores: list[Scores], right: NDArray[np.int64], scale: float) -> Ranks:
    """Per rule, the rank of the right video of every query; `scores` has an entry per video."""
    result = {}
    for name, rule in rules(scale).items():
        every = np.stack([rule(one) for one in scores], 1)
        own = every[np.arange(len(right)), right]
        result[name] = 1 + (every > own[:, None]).sum(1)
    return result


def report(title: str, found: Ranks) -> None:
    print(f"\n| {title} | R@1 | R@5 | R@10 | mean of 1/rank |\n|---|---|---|---|---|")
    for name, one in found.items():
        recalls = " | ".join(f"{100 * (one <= first).mean():.1f}" for first in (1, 5, 10))
        print(f"| {name} | {recalls} | {(1 / one).mean():.3f} |")


def real(library: framefind.Library, captions: Path, model: registry.Model) -> Ranks:
    queries, _ = read(captions, [row for row in library.videos() if row.segments])
    texts = model.embed_texts(list(queries))
    videos = frames(library)
    scores = [
        np.stack([(texts @ views.T).max(1) for views in own], 1).astype(np.float64)
        for own in videos.values()
    ]
    ids = list(videos)
    right = np.array([ids.index(spans[0].video_id) for spans in queries.values()])
    return ranks(scores, right, model.scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--library")
    parser.add_argument("--captions", type=Path)
    options = parser.parse_args()
    model = registry.load(options.model)
    data = captioned(options.shards, model)
    for name, scenes in KINDS.items():
        rounds = []
        for seed in range(3):
            videos, queries = made_up(data, scenes, np.random.default_rng(seed))
            texts = model.embed_texts(queries)
            scores = [(texts @ video.T).astype(np.float64) for video in videos]
            rounds.append(ranks(scores, np.arange(len(videos)), model.scale))
        pooled = {rule: np.concatenate([one[rule] for one in rounds]) for rule in rounds[0]}
        report(f"{len(videos)} made-up videos, {name}", pooled)
    if options.library and options.captions:
        library = framefind.open(options.library)
        report("captioned videos", real(library, options.captions, model))


if __name__ == "__main__":
    main()
