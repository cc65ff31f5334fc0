"""Two models as one: their vectors side by side, turned so that few numbers say nearly all.

    python training/join.py --pack PACK --models ONE OTHER --out FOLDER --name mini-4

The models are in the shipped format, for pictures of one size. What turns their joined vectors is
what the singular vectors of some training pictures' are: a score is nearly the mean of both scores.
"""

import argparse
import json
import shutil
from pathlib import Path

import batches
import export
import numpy as np
import onnx
from evaluate import Pair
from graphs import Graph
from numpy.typing import NDArray
from onnx import compose

PICTURES = 4000


def turn(pairs: list[Pair], pack: Path, dimensions: int) -> NDArray[np.float32]:
    """(joined, dimensions): the directions in which training pictures lie most."""
    shown = batches.Pictures(pack).some(PICTURES, seed=5)
    joined = np.concatenate([pair.pictures(shown) for pair in pairs], axis=1)
    _, strengths, directions = np.linalg.svd(joined, full_matrices=False)
    kept = (strengths[:dimensions] ** 2).sum() / (strengths**2).sum()
    print(f"{dimensions} of {joined.shape[1]} dimensions keep {100 * kept:.2f} %")
    return np.ascontiguousarray(directions[:dimensions].T, np.float32)


def joined(files: list[Path], turned: NDArray[np.float32], out: Path) -> None:
    """Towers of the same inputs as one."""
    towers = [onnx.load(file) for file in files]
    graph, vectors = Graph(), []
    for letter, tower in zip("ab", towers, strict=True):
        prefix = f"{letter}_"
        renamed = compose.add_prefix(tower, prefix, rename_inputs=False).graph
        graph.nodes += renamed.node
        graph.weights += renamed.initializer
        vectors.append(prefix + tower.graph.output[0].name)
    x = graph.turned(vectors, turned)
    graph.save(out, x, list(towers[0].graph.input), turned.shape[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs=2, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--dimensions", type=int, default=256)
    options = parser.parse_args()
    pairs = [Pair(folder) for folder in options.models]
    turned = turn(pairs, options.pack, options.dimensions)
    options.out.mkdir(parents=True, exist_ok=True)
    np.save(options.out / "turned.npy", turned)  # for wording.py
    for part in ("image", "text"):
        files = [f / p.manifest[part]["file"] for f, p in zip(options.models, pairs, strict=True)]
        joined(files, turned, options.out / f"{part}.onnx")
    shutil.copyfile(options.models[0] / "tokenizer.json", options.out / "tokenizer.json")
    scale = float(np.mean([pair.manifest["scale"] for pair in pairs]))
    facts = export.manifest(options.name, options.dimensions, pairs[0].size, scale)
    (options.out / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
