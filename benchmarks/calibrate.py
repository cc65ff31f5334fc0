"""Calibrate a model: neutral pictures, and how often what stands out from them is right.

    python benchmarks/calibrate.py --model FOLDER --shards SHARDS

Embeds 4,000 pictures of the Parquet sample's training split, drawn at random, and fits two curves
of confidence, for texts and for pictures, on the labelled queries of `support/labelled.py`. Writes
`neutral.npz` into the model's FOLDER and names it in its manifest. No picture can be made from it.
With `--keep` the neutral pictures stay those of the folder.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from support import labelled
from support.samples import Vectors, pictures, pixels

from framefind.models import registry
from framefind.models.base import Model
from framefind.models.confidence import Neutral

PICTURES = 4000


def neutral_pictures(shards: Path, model: Model) -> Vectors:
    rows: list[bytes] = []
    for file in sorted(shards.glob("*.parquet")):
        table = pq.read_table(file, columns=["split", "image"])
        rows += [row["image"] for row in table.to_pylist() if row["split"] == "train"]
    chosen = np.random.default_rng(0).permutation(len(rows))[:PICTURES]
    shown = [pixels(image, model.size) for image in pictures(rows[at] for at in chosen)]
    return model.embed_images(np.stack(shown))


def fit(standing: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the middle and slope of the likeliest logistic curve, by Newton's method."""
    inputs = np.stack([standing, np.ones_like(standing)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        share = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs * (share * (1 - share))[:, None]).T @ inputs
        weights -= np.linalg.solve(curvature, inputs.T @ (share - right))
    slope, offset = weights.tolist()
    return -offset / slope, slope


def curve(by_kind: dict[str, labelled.Results], half: int | None = None) -> tuple[float, float]:
    """Fit all queries, or every other one, from `half` (0 or 1) on."""
    part = slice(None) if half is None else slice(half, None, 2)
    return fit(
        np.concatenate([kind.standing[part].ravel() for kind in by_kind.values()]),
        np.concatenate([kind.right[part].ravel() for kind in by_kind.values()]),
    )


def fitted(by_kind: dict[str, labelled.Results]) -> tuple[float, float]:
    """Print the curves of all queries and of halves of them; return that of all, rounded."""
    for name, half in (("all", None), ("even", 0), ("odd", 1)):
        print(
            "fitted on {} queries: middle {:.2f}, slope {:.2f}".format(name, *curve(by_kind, half))
        )
    middle, slope = curve(by_kind)
    return round(middle, 2), round(slope, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    model = registry.load(f"local-dir:{options.model}")
    if options.keep:
        neutral = Neutral.load(options.model / "neutral.npz", model.dimensions)
    else:
        neutral = Neutral.summarize(neutral_pictures(options.shards, model), of_images=True)
    by_kind = labelled.results(options.shards, model, neutral)
    middle, slope = fitted(by_kind)
    shown = labelled.by_picture(options.shards, model, neutral)
    of_pictures = fitted({"pictures": shown["pictures"]})
    neutral = replace(neutral, middle=middle, slope=slope)
    neutral = replace(neutral, image_middle=of_pictures[0], image_slope=of_pictures[1])
    labelled.table(by_kind, neutral)
    labelled.table({"pictures": shown["pictures"]}, neutral.for_images())
    labelled.table({"absent pictures": shown["absent pictures"]}, neutral.for_images())
    neutral.save(options.model / "neutral.npz")
    file = options.model / "manifest.json"
    manifest = json.loads(file.read_text("utf-8")) | {"neutral": "neutral.npz"}
    file.write_text(json.dumps(manifest, indent=1), "utf-8")


if __name__ == "__main__":
    main()
