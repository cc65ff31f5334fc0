"""Pictures that resemble every text score less: the last step before a model ships.

    python training/balance.py --pack PACK --model FOLDER --out BALANCED

Some pictures, such as textures, are near to whatever is asked for, and stand before what is meant.
How near a picture is to a bank of training texts, the logarithm of the mean of exponentials at the
model's own temperature, is subtracted from its scores, in part: all of it would be the softmax over
texts that pictures were trained with ("querybank normalisation", Bogolin et al. 2022). Both towers
get one more number for that, so that a score stays a cosine: the picture's says how near it is to
the bank, the text's is the same for all. The direction in which vectors lie least makes room.
"""

import argparse
import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import batches
import numpy as np
import onnx
import torch
from evaluate import Array, Pair
from graphs import Graph, lengthen
from onnx import numpy_helper

COUNT = 550  # captions, and names, in the bank
PART = 0.6  # of a picture's nearness, that is subtracted; all of it costs single words too much
SHARE = 0.4  # of a text's unit length, that says nothing but that it is to be subtracted
PICTURES = 4000  # that say in which direction vectors lie least, and how near is usual


def bank(pack: Path) -> list[str]:
    """Training texts: captions, and as many names."""
    listed = json.loads((pack / "texts.json").read_text())
    names = [text for text in listed if len(text.split()) <= 3]
    shown = [
        texts
        for source in batches.CAPTIONED
        for texts in json.loads((pack / f"{source}.json").read_text())["texts"]
    ]
    rng = random.Random(0)
    captions = [rng.choice(texts) for texts in rng.sample(shown, COUNT)]
    return captions + rng.sample(names, COUNT)


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearness(pictures: Array, texts: Array, scale: float) -> Array:
    """How near each picture is to all texts, as a cosine."""
    found: Array = np.log(np.exp(scale * (pictures @ texts.T)).mean(1)) / scale
    return found


def picture(texts: Array, scale: float, usual: float, graph: Graph, x: str) -> str:
    """Unit vectors and how near they are to `texts`, less what is usual."""
    logits = graph.node("MatMul", x, graph.half(torch.from_numpy(scale * texts.T)))
    # Not ReduceLogSumExp: OpenVINO 2026 takes its outcome for one row. Sums stay below e^30.
    column = graph.constant(np.full((len(texts), 1), 1 / len(texts), np.float32))
    near = graph.node("Log", graph.node("MatMul", graph.node("Exp", logits), column))
    nought = graph.constant(np.float32(scale * usual))
    factor = graph.constant(np.float32(PART * (1 - SHARE**2) ** 0.5 / SHARE / scale))
    last = graph.node("Mul", graph.node("Sub", near, nought), factor)
    rest = graph.node("Sub", graph.constant(np.float32(1)), graph.node("Mul", last, last))
    return graph.node("Concat", graph.node("Mul", x, graph.node("Sqrt", rest)), last, axis=1)


def text(graph: Graph, x: str) -> str:
    """Unit vectors and how much of what a picture says last is subtracted."""
    rest = graph.node("Mul", x, graph.constant(np.float32((1 - SHARE**2) ** 0.5)))
    column = graph.constant(np.array([0, 0, 0, 1]))
    return graph.node("Pad", rest, column, graph.constant(np.float32(-SHARE)))


def write(file: Path, out: Path, directions: Array, end: Callable[[Graph, str], str]) -> None:
    """A tower whose vectors are turned, shortened by `directions` and have another end."""
    graph = Graph("balance_")
    lengthen(file, out, graph, lambda x: end(graph, graph.turned([x], directions)))


def least(pictures: Array, texts: Array) -> Array:
    """(dimensions, dimensions - 1): all directions but the one in which vectors lie least."""
    found = np.linalg.svd(np.concatenate([pictures, texts]), full_matrices=False)[2]
    return np.ascontiguousarray(found[:-1].T, np.float32)


def taken(file: Path) -> Array:
    """The directions by which a balanced tower was shortened."""
    weights = {one.name: one for one in onnx.load(file).graph.initializer}
    return numpy_helper.to_array(weights["balance_w0"]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--text", type=Path, help="a balanced model whose text tower to keep")
    options = parser.parse_args()
    pair = Pair(options.model)
    facts = pair.manifest
    files = {part: facts[part]["file"] for part in ("image", "text")}
    pictures = pair.pictures(batches.Pictures(options.pack).some(PICTURES, seed=7))
    texts = pair.texts(bank(options.pack))
    directions = taken(options.text / files["text"]) if options.text else least(pictures, texts)
    pictures, texts = unit(pictures @ directions), unit(texts @ directions)
    usual = float(nearness(pictures, texts, facts["scale"]).mean())
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.model / "tokenizer.json", options.out / "tokenizer.json")
    ends = {"image": partial(picture, texts, facts["scale"], usual)}
    if options.text:
        shutil.copyfile(options.text / files["text"], options.out / files["text"])
    else:
        ends["text"] = text
    for part, end in ends.items():
        write(options.model / files[part], options.out / files[part], directions, end)
    facts["scale"] /= (1 - SHARE**2) ** 0.5  # scores are that much lower
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
