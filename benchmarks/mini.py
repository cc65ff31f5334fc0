"""What does the built-in model find? Measured as framefind runs it, on pictures it never saw.

    python benchmarks/mini.py --work OUT/work --model FOLDER [FOLDER ...]

Prints every number of its model card but those of videos. OUT is the folder of `training/make.py`,
which has the test pictures, and each FOLDER a model in framefind's own layout.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from framefind.models.layouts.manifest import read_manifest
from framefind.models.onnx import OnnxModel
from framefind.search.query_images import crop_frame
from framefind.video.views import WHOLE

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "training"))
import pictures  # type: ignore[import-not-found]  # noqa: E402

Vectors = NDArray[np.float32]
Texts = list[list[str]]  # of each picture; of a sorted one the name of its class

SORTED = ("sports100-test", "caltech101-test")
CAPTIONED = ("flickr8k-test", "coco-held-out")


def letterbox(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Put black bars above and below, or left and right (a portrait video in a wide frame)."""
    size = picture.width
    bar = int(size * rng.uniform(0.06, 0.3))
    boxed = Image.new("RGB", picture.size)
    if rng.random() < 0.6:
        boxed.paste(picture.resize((size, size - 2 * bar)), (0, bar))
    else:
        boxed.paste(picture.resize((size - 2 * bar, size)), (bar, 0))
    return boxed


CHANGES = (pictures.soften, pictures.compress, letterbox, pictures.dim)

QUESTIONS = json.loads((ROOT / "benchmarks" / "support" / "mini.json").read_text())
BEINGS, EVEN, OPPOSITE = (
    re.compile(rf"\b({'|'.join(QUESTIONS[name])})\b") for name in ("beings", "even", "opposites")
)
PAIRS = 50  # of each kind of change of order


def open_model(folder: Path) -> OnnxModel:
    return OnnxModel(folder.name, read_manifest(folder), "cpu", threads=2)


def percent(values: ArrayLike) -> float:
    return round(100 * float(np.mean(values)), 1)


def embed(model: OnnxModel, squares: list[Image.Image]) -> Vectors:
    views = [crop_frame(np.asarray(square), WHOLE, model.size) for square in squares]
    return model.embed_images(np.stack(views))


def measure_recall(model: OnnxModel, texts: Texts, vectors: Vectors) -> dict[str, float]:
    """Let every caption look for its picture."""
    queries = [text for captions in texts for text in captions]
    right = np.repeat(np.arange(len(texts)), [len(captions) for captions in texts])
    scores = model.embed_texts(queries) @ vectors.T
    ranks = (scores > scores[np.arange(len(right)), right][:, None]).sum(1)
    return {f"R@{k}": percent(ranks < k) for k in (1, 5, 10)}


def measure_classes(model: OnnxModel, texts: Texts, vectors: Vectors) -> dict[str, float]:
    """Name each picture by the nearest class."""
    names = sorted({labels[0] for labels in texts})
    nearest = (vectors @ model.embed_texts([f"a photo of {name}" for name in names]).T).argmax(1)
    return {"top-1": percent(nearest == [names.index(labels[0]) for labels in texts])}


def measure_nouns(model: OnnxModel, right: dict[str, list[int]], vectors: Vectors) -> float:
    """Ask for `a NOUN`, and return how many of the first five pictures are right, percent.

    `right` are the pictures of each noun.
    """
    queries = [f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}" for noun in right]
    five = np.argsort(-model.embed_texts(queries) @ vectors.T, 1)[:, :5]
    return percent(
        [np.isin(row, expected) for row, expected in zip(five, right.values(), strict=True)]
    )


def list_sorted(model: OnnxModel, texts: Texts, things: set[str]) -> dict[str, list[int]]:
    """Return the sorted pictures of each of `things` that is one common word (one token)."""
    words = [name for name in sorted(things) if len(model.tokenize(name)) == 1]
    nouns = [word for word in words if word[-1] != "s"]
    spoken = [set(labels[0].split()) for labels in texts]
    return {noun: [i for i, name in enumerate(spoken) if noun in name] for noun in nouns}


def list_captioned(texts: Texts) -> dict[str, list[int]]:
    """Return the pictures of each common noun of which a caption speaks."""
    spoken = [" ".join(captions).lower() for captions in texts]
    patterns = {noun: re.compile(rf"\b{noun}(e?s)?\b") for noun in QUESTIONS["nouns"]}
    return {
        noun: [i for i, words in enumerate(spoken) if pattern.search(words)]
        for noun, pattern in patterns.items()
    }


def swap_order(caption: str) -> tuple[str, str]:
    """Return a caption with two beings or a preposition changed, and which; empty if neither."""
    beings = [*BEINGS.finditer(caption)]
    if len(beings) == 2 and beings[0][0] != beings[1][0]:
        (a, b), (c, d) = beings[0].span(), beings[1].span()
        if not EVEN.search(caption[b:c]):
            return f"{caption[:a]}{caption[c:d]}{caption[b:c]}{caption[a:b]}{caption[d:]}", "beings"
    other = OPPOSITE.sub(lambda match: QUESTIONS["opposites"][match[0]], caption, count=1)
    return (other, "preposition") if other != caption else ("", "")


def measure_order(model: OnnxModel, texts: Texts, vectors: Vectors) -> dict[str, float]:
    """Return how often a picture prefers its caption to the one in another order, percent."""
    pairs: dict[str, list[tuple[str, str, int]]] = {"beings": [], "preposition": []}
    for i, captions in enumerate(texts):
        changes = [(caption, *swap_order(caption.lower())) for caption in captions]
        caption, other, kind = next((row for row in changes if row[2]), ("", "", ""))
        if kind and len(pairs[kind]) < PAIRS:
            pairs[kind].append((caption.lower(), other, i))
    right = {}
    for kind, rows in pairs.items():
        originals, others, owners = zip(*rows, strict=True)
        changed = model.embed_texts([*originals]) - model.embed_texts([*others])
        right[kind] = 0.5 + np.sign((changed * vectors[[*owners]]).sum(1)) / 2  # a tie is half
    right["both"] = np.concatenate([*right.values()])
    return {kind: percent(values) for kind, values in right.items()}


def measure_synonyms(model: OnnxModel, vectors: Vectors) -> dict[str, float]:
    """Return how many of the ten nearest pictures two words for one thing share, percent.

    `different` are the pairs that the tokenizer does not read as the same words.
    """
    pairs = [model.embed_texts(pair) for pair in QUESTIONS["synonyms"]]
    shared = [np.isin(*np.argsort(-pair @ vectors.T, 1)[:, :10]).mean() for pair in pairs]
    differ = [
        share for share, pair in zip(shared, pairs, strict=True) if (pair[0] != pair[1]).any()
    ]
    return {"all": percent(shared), "different": percent(differ), "pairs": len(differ)}


def time_best(work: Callable[[], object], rounds: int = 12) -> float:
    """Return the milliseconds of the quickest of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return round(min(times), 2)


def measure_cost(folder: Path) -> dict[str, float]:
    """Return size and speed of a model on two threads of this machine."""
    size = read_manifest(folder).image.size
    views = np.random.default_rng(0).integers(0, 256, (64, size, size, 3), np.uint8)

    def use(model: OnnxModel, views: NDArray[np.uint8]) -> None:
        model.embed_texts(["a dog"])
        model.embed_images(views)

    model, text = open_model(folder), ["a man rides a red bicycle"]
    return {
        "MB": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1),
        "load ms": time_best(lambda: use(open_model(folder), views[:1]), 5),
        "text ms": time_best(lambda: model.embed_texts(text)),
        "views a second": round(64_000 / time_best(lambda: model.embed_images(views))),
    }


def evaluate(folder: Path, work: Path) -> dict[str, object]:
    """Return every number of the model card but those of videos."""
    model = open_model(folder)
    results: dict[str, object] = {}
    texts, vectors = {}, {}
    for file in sorted(work.glob("*.pixels.npy")):
        name = file.name.removesuffix(".pixels.npy")
        squares = [Image.fromarray(square) for square in np.load(file)]
        texts[name] = json.loads((work / f"{name}.json").read_text())["texts"]
        vectors[name] = embed(model, squares)
        measure = measure_classes if name in SORTED else measure_recall
        results[name] = measure(model, texts[name], vectors[name])
        for change in CHANGES if name in ("flickr8k-test", "sports100-test") else ():
            rng = np.random.default_rng(0)
            worse = embed(model, [change(square, rng) for square in squares])
            results[f"{name}, {change.__name__}"] = measure(model, texts[name], worse)
    captions, names = (
        [labels for name in part for labels in texts[name]] for part in (CAPTIONED, SORTED)
    )
    seen, named = (np.concatenate([vectors[n] for n in part]) for part in (CAPTIONED, SORTED))
    things = {labels[0] for labels in texts["caltech101-test"]}
    results["one noun, sorted"] = measure_nouns(model, list_sorted(model, names, things), named)
    results["one noun, captioned"] = measure_nouns(model, list_captioned(captions), seen)
    results["order"] = measure_order(model, captions, seen)
    results["synonyms"] = measure_synonyms(model, np.concatenate([seen, named]))
    return results | measure_cost(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    for folder in options.model:
        print(folder.name, json.dumps(evaluate(folder, options.work), indent=1))


if __name__ == "__main__":
    main()
