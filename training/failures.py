"""Draw where a model fails: `python training/failures.py --model FOLDER --out sheet.jpg`.

Queries are put to the photographs that come inside scikit-image and scikit-learn, the only ones
here that may be shown. A row is a query whose first picture is not one of the right ones: on the
left the first three, best first, and on the right the one that should have been first, with its
rank; of all such queries the worst dozen. All queries and ranks are printed.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from sklearn.datasets import load_sample_image

from framefind.models import registry

SIDE, GAP, TITLE, MOST = 96, 8, 26, 12
RED, GREEN = (200, 40, 40), (30, 130, 60)


def photographs() -> dict[str, Image.Image]:
    """By name; the dark and the boxed one are made here."""
    found: dict[str, Callable[[], np.ndarray]] = {
        name: getattr(data, name)
        for name in (
            "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass",
            "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "moon", "page",
            "retina", "rocket", "text",
        )
    }  # fmt: skip
    arrays = {name: take() for name, take in found.items()}
    arrays["motorcycle"] = data.stereo_motorcycle()[0]
    arrays |= {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    arrays = {n: np.uint8(255) * a if a.dtype == bool else a for n, a in arrays.items()}
    pictures = {name: Image.fromarray(array).convert("RGB") for name, array in arrays.items()}
    pictures["coffee in the dark"] = pictures["coffee"].point(lambda value: value // 8)
    return pictures


# A query and the pictures that are right.
QUERIES = (
    ("a cat", {"chelsea"}),
    ("a feline", {"chelsea"}),
    ("a cup of coffee", {"coffee", "coffee in the dark"}),
    ("a drink in a dark room", {"coffee in the dark"}),
    ("a spoon", {"coffee", "coffee in the dark"}),
    ("a motorcycle", {"motorcycle"}),
    ("a garage", {"motorcycle"}),
    ("a woman", {"astronaut"}),
    ("an astronaut", {"astronaut"}),
    ("the flag of a country", {"astronaut"}),
    ("a man with a camera", {"camera"}),
    ("a tripod", {"camera"}),
    ("a man without a camera", {"astronaut"}),
    ("a tower in the distance", {"camera"}),
    ("a temple", {"china"}),
    ("a flower", {"flower"}),
    ("a rocket", {"rocket"}),
    ("lightning rods beside a launch pad", {"rocket"}),
    ("the moon", {"moon"}),
    ("craters", {"moon"}),
    ("galaxies", {"hubble_deep_field"}),
    ("stars in the night sky", {"hubble_deep_field"}),
    ("coins", {"coins"}),
    ("twenty-four coins", {"coins"}),
    ("money", {"coins"}),
    ("a horse", {"horse"}),
    ("grass", {"grass"}),
    ("stones", {"gravel"}),
    ("a brick wall", {"brick"}),
    ("a clock", {"clock"}),
    ("a printed page", {"page", "text"}),
    ("the words region-based segmentation", {"page"}),
    ("the inside of an eye", {"retina"}),
    ("cells under a microscope", {"immunohistochemistry"}),
)


def tile(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The picture cut to a square, framed."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    inner = picture.crop((left, top, left + side, top + side)).resize((SIDE - 6, SIDE - 6))
    framed = Image.new("RGB", (SIDE, SIDE), colour)
    framed.paste(inner, (3, 3))
    return framed


def row(
    query: str, order: list[str], right: set[str], pictures: dict[str, Image.Image]
) -> Image.Image:
    """The query, its first three pictures, and the right one with its rank."""
    drawn = Image.new("RGB", (4 * SIDE + 9 * GAP, TITLE + SIDE + GAP), "white")
    pen = ImageDraw.Draw(drawn)
    rank = min(order.index(name) for name in right)
    pen.text((GAP, 6), f"“{query}”", "black", ImageFont.load_default(14))
    at = 3 * (SIDE + GAP) + 3 * GAP
    pen.text((at, 8), f"right: no. {rank + 1}", GREEN, ImageFont.load_default(12))
    for i, name in enumerate(order[:3]):
        drawn.paste(
            tile(pictures[name], GREEN if name in right else RED), (GAP + i * (SIDE + GAP), TITLE)
        )
    drawn.paste(tile(pictures[order[rank]], GREEN), (at, TITLE))
    return drawn


def sheet(rows: list[Image.Image], columns: int = 3) -> Image.Image:
    width, height = rows[0].size
    lines = -(-len(rows) // columns)
    drawn = Image.new("RGB", (columns * width, lines * height), "white")
    for i, part in enumerate(rows):
        drawn.paste(part, (i % columns * width, i // columns * height))
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model, pictures = registry.load(f"local-dir:{options.model}"), photographs()
    side = (model.size, model.size)
    pixels = [picture.resize(side, Image.Resampling.BILINEAR) for picture in pictures.values()]
    vectors = model.embed_images(np.stack([np.asarray(picture) for picture in pixels]))
    failed = []
    for query, right in QUERIES:
        scores = vectors @ model.embed_texts([query])[0]
        order = [[*pictures][i] for i in np.argsort(-scores)]
        rank = min(order.index(name) for name in right)
        print(f"{rank + 1:3} {query}: {', '.join(order[:3])}")
        if rank:
            failed.append((rank, row(query, order, right, pictures)))
    print(f"{len(QUERIES) - len(failed)} of {len(QUERIES)} have a right picture first")
    worst = sorted(failed, key=lambda pair: -pair[0])[:MOST]
    sheet([drawn for _, drawn in worst]).save(options.out, quality=60, optimize=True)


if __name__ == "__main__":
    main()
