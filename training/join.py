"""Two models as one: their vectors side by side, turned so that few numbers say nearly all.

    python training/join.py --pack PACK --models ONE OTHER --out FOLDER --name mini-6

The models are in the shipped format, for pictures of one size. What turns their joined vectors are
the singular vectors of some training pictures and texts together: a score is nearly the mean of
both scores. Pictures alone leave out much of the texts, and more of some than of others.
"""

import argparse
import json
import random
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

COUNT = 4000  # pictures, and texts


def turn(pairs: list[Pair], pack: Path, dimensions: int) -> NDArray[np.float32]:
    """(joined, dimensions): the directions in which training pictures and texts lie most."""
    shown = batches.Pictures(pack).some(COUNT, seed=5)
    said = random.Random(5).sample(json.loads((pack / "texts.json").read_text()), COUNT)
    pictures = np.concatenate([pair.pictures(shown) for pair in pairs], axis=1)
    texts = np.concatenate([pair.texts(said) for pair in pairs], axis=1)
    directions = np.linalg.svd(np.concatenate([pictures, texts]), full_matrices=False)[2]
    turned = np.ascontiguousarray(directions[:dimensions].T, np.float32)
    for name, vectors in (("pictures", pictures), ("texts", texts)):
        kept = 100 * ((vectors @ turned) ** 2).sum() / (vectors**2).sum()
        print(f"{dimensions} of {vectors.shape[1]} dimensions keep {kept:.1f} % of {name}")
    return turned


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
