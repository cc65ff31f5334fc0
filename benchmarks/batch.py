"""What does a query cost among others? One by one beside all in one go, on a made-up index.

    python benchmarks/batch.py LIBRARY [--vectors 100000] [--sizes 8 36 144]

LIBRARY is a real one that the index is fitted on (`support/synthetic.py`). Everything of a search
counts but the text's embedding. The two take turns; pages are compared, and must be equal.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from support.synthetic import Fit, rotation, write

from framefind import Query
from framefind.index.build import refresh
from framefind.index.vectors import VectorIndex
from framefind.models import registry
from framefind.models.base import Model
from framefind.models.confidence import Neutral
from framefind.models.neutral import load_neutral
from framefind.search.search import search
from framefind.tables.tables import Tables
from framefind.types import Page
from search import QUERIES

DIMENSIONS = 512
ROUNDS = 9
WHERE = ("", " in the rain", " on a table", " from above")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 36, 144])
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = Tables.open(chosen.library)
        real = registry.load(tables.fingerprint["model"])
        turn = rotation(rng, real.dimensions, DIMENSIONS)
        (folder / "made-up").mkdir()
        fit = Fit.of(refresh(folder / "real", tables)).rotated(turn)
        index = write(folder / "made-up", fit, chosen.vectors, rng)
        model = _stand_in(real, turn)
        texts = [text + where for where in WHERE for text in QUERIES]
        print(f"{len(index.vectors):,} vectors\n\n| queries | | wall ms a query | CPU ms a query |")
        print("|---|---|---|---|")
        for size in chosen.sizes:
            ways = _ways([Query(text) for text in texts[:size]], index, model)
            pages = {name: [page.moments for page in way()] for name, way in ways.items()}
            assert pages["one by one"] == pages["in one go"]
            for name, (wall, cpu) in _take_turns(ways).items():
                print(f"| {size} | {name} | {wall / size:.2f} | {cpu / size:.2f} |", flush=True)


def _ways(
    queries: list[Query], index: VectorIndex, model: Any
) -> dict[str, Callable[[], list[Page]]]:
    return {
        "one by one": lambda: [next(search([query], index, model)) for query in queries],
        "in one go": lambda: list(search(queries, index, model)),
    }


class _Model(SimpleNamespace):
    __hash__ = object.__hash__


def _stand_in(real: Model, turn: np.ndarray) -> Any:
    """Return the model in more dimensions, which embeds each text once."""
    neutral = load_neutral(real)
    vectors: dict[str, np.ndarray] = {}

    def embed_texts(texts: list[str]) -> np.ndarray:
        for text in texts:
            if text not in vectors:
                vector = real.embed_texts([text])[0] @ turn
                vectors[text] = vector / np.linalg.norm(vector)
        return np.stack([vectors[text] for text in texts])

    return _Model(
        name=real.name,
        dimensions=DIMENSIONS,
        fingerprint=real.fingerprint | {"dimensions": str(DIMENSIONS)},
        tokenize=real.tokenize,
        scale=real.scale,
        neutral=Neutral(neutral.of_images, neutral.mean @ turn, neutral.axes @ turn),
        embed_texts=embed_texts,
    )


def _take_turns(ways: dict[str, Callable[[], list[Page]]]) -> dict[str, tuple[float, float]]:
    """Return the least milliseconds (wall, CPU) of each way, since other work only adds."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            wall = time.perf_counter()
            cpu = time.process_time()
            way()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: tuple((1000 * np.min(times, axis=0)).tolist()) for name, times in seconds.items()}


if __name__ == "__main__":
    main()
