"""How fast is a search, and is it right? Ours beside what others do, in one run.

    python benchmarks/search.py LIBRARY [--vectors 100000 1000000] [--hnsw 100000] [--out FILE]

LIBRARY is a real one that the made-up indexes are fitted on (`support/synthetic.py`). Compared are:

- framefind: filters, scan, moments, confidence: a page of ten, all but the text's embedding;
- framefind, images: the same of images that each resemble one view (cosine 0.94);
- framefind, 0.1%: the same as the first among one in a thousand videos;
- framefind, by video; then: a page of videos; of moments that others follow;
- product: the first article's, `matrix @ query * 100` in float32, and the top ten;
- Faiss flat: its exact index of the same;
- HNSW32: what clip-retrieval's autofaiss chooses for vectors that fit into 4 GB.

The contenders take turns, all queries at a time, three times over, since other work on the machine
comes and goes, and since the threads of BLAS and Faiss keep spinning for a while. Recall is against
the exact answers: for framefind of moments or videos, for HNSW of views. Memory is anonymous;
mapped files do not count.
"""

import argparse
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.synthetic import Fit, rotation, write

from framefind.index import ivf
from framefind.index.build import refresh
from framefind.index.vectors import VectorIndex
from framefind.models import registry
from framefind.models.confidence import Neutral
from framefind.models.neutral import load_neutral
from framefind.search.filters import Filters, names_of
from framefind.search.query_vectors import EmbeddedQuery
from framefind.search.search import Judge, answer
from framefind.tables.tables import Tables
from framefind.types import Page, Query

DIMENSIONS = 512
LIKENESS = 0.94  # of an image to a view, cosine
IMAGES = "framefind, images"
ROUNDS = 3
WARM = 3  # queries of a turn before the clock counts
QUERIES = [
    f"{thing} {where}"
    for thing in (
        "a dog",
        "a red car",
        "people dancing",
        "a child with a ball",
        "an old man",
        "food",
    )
    for where in ("on a beach", "in the snow", "in a kitchen", "at night", "in a city", "up close")
]

Answers = dict[str, Callable[[NDArray[np.float32]], Any]]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--vectors", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--hnsw", type=int, default=100_000, help="build it up to so many vectors")
    parser.add_argument("--flat", type=int, default=2_000_000, help="keep float32 in memory up to")
    parser.add_argument("--queries", type=int, default=len(QUERIES))
    parser.add_argument("--folder", type=Path, help="where to build (default: temporary)")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=chosen.folder))
    try:
        rng = np.random.default_rng(0)
        model, fit, queries = _fitted(chosen.library, folder, rng)
        rows = []
        for vectors in chosen.vectors:
            rows += _measure(folder / str(vectors), vectors, fit, queries, model, chosen, rng)
            shutil.rmtree(folder / str(vectors))
    finally:
        shutil.rmtree(folder)
    if chosen.out:
        chosen.out.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def _fitted(
    library: str, folder: Path, rng: np.random.Generator
) -> tuple[Judge, Fit, NDArray[np.float32]]:
    """Return a stand-in for the library's model in more dimensions, the fit, and queries."""
    tables = Tables.open(library)
    model = registry.load(tables.fingerprint["model"])
    turn = rotation(rng, model.dimensions, DIMENSIONS)
    fit = Fit.of(refresh(folder / "real", tables)).rotated(turn)
    neutral_images = load_neutral(model)
    neutral = Neutral(
        neutral_images.of_images, neutral_images.mean @ turn, neutral_images.axes @ turn
    )
    queries = model.embed_texts(QUERIES) @ turn
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    print(f"neighbours correlate by {fit.memory:.2f}, views share {fit.common:.2f} of the spread")
    return Judge(model.scale, neutral), fit, queries


def _measure(
    folder: Path,
    vectors: int,
    fit: Fit,
    queries: NDArray[np.float32],
    model: Judge,
    chosen: argparse.Namespace,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    folder.mkdir()
    began = time.perf_counter()
    index = write(folder, fit, vectors, rng)
    built = time.perf_counter() - began
    queries = queries[: chosen.queries]
    notes = {"framefind": f"{len(index.videos)} videos; made in {built:.0f} s"}
    if len(index.vectors) > ivf.MAX_SCANNED_VECTORS:
        began = time.perf_counter()
        ivf.main(folder)
        notes["framefind"] += f", lists in {time.perf_counter() - began:.0f} s"
    began = time.perf_counter()
    index = VectorIndex(folder)
    notes["framefind"] += f"; opens in {1000 * (time.perf_counter() - began):.1f} ms"
    answers, memory = _contenders(index, model, chosen, notes)
    asked = dict.fromkeys(answers, queries) | {IMAGES: _images(index, len(queries), rng)}
    exact = _exact_pages(answers, asked, len(index.vectors))
    times, results = _take_turns(answers, asked)
    if "HNSW32" in results:
        best = results["product"]
        notes["HNSW32"] += f"; recall {_overlap(results['HNSW32'], best):.3f}"
    for name, pages in exact.items():
        recall = _overlap([*map(_keys, results[name])], [*map(_keys, pages)])
        notes[name] = f"{notes.get(name, '')}; recall {recall:.3f}".lstrip("; ")
    rows = []
    for name, taken in times.items():
        low, middle, high = np.percentile(taken, [10, 50, 90]).round(2).tolist()
        row = {
            "vectors": len(index.vectors),
            "what": name,
            "p50_ms": middle,
            "p10_ms": low,
            "p90_ms": high,
            "anonymous_mb": round(memory[name] / 1e6),
            "notes": notes.get(name, ""),
        }
        rows.append(row)
        print(
            f"{row['vectors']:>10,} | {name:<17} | {middle:>8.1f} ms ({low:.1f} to {high:.1f}) | "
            f"{row['anonymous_mb']:>6,} MB | {row['notes']}",
            flush=True,
        )
    return rows


def _contenders(
    index: VectorIndex, model: Judge, chosen: argparse.Namespace, notes: dict[str, str]
) -> tuple[Answers, dict[str, int]]:
    """Return what answers queries, and the anonymous memory that it keeps or needs."""
    few = tuple(video.path for video in list(index.videos)[::1000])
    answers: Answers = {
        "framefind": lambda query: _page(index, model, query),
        IMAGES: lambda query: _page(index, model, query),
        "framefind, 0.1%": lambda query: _page(index, model, query, video=few),
        "framefind, by video": lambda query: _page(index, model, query, by="video"),
        "framefind, then": lambda query: _pair(index, model, query),
    }
    memory = {name: _extra(lambda: _page(index, model, _any(index))) for name in answers}
    if len(index.vectors) > chosen.flat:
        return answers, memory
    import faiss

    before = _anonymous()
    matrix = index.vectors.astype(np.float32)
    memory["product"] = _anonymous() - before
    answers["product"] = lambda query: _product(matrix, query)
    flat = faiss.IndexFlatIP(DIMENSIONS)
    flat.add(matrix)
    memory["Faiss flat"] = memory["product"]
    answers["Faiss flat"] = lambda query: flat.search(query[None], 10)[1][0].tolist()
    if len(index.vectors) <= chosen.hnsw:
        before = _anonymous()
        began = time.perf_counter()
        graph = faiss.index_factory(DIMENSIONS, "HNSW32", faiss.METRIC_INNER_PRODUCT)
        graph.add(matrix)
        graph.hnsw.efSearch = 64
        memory["HNSW32"] = _anonymous() - before
        notes["HNSW32"] = f"built in {time.perf_counter() - began:.0f} s"
        answers["HNSW32"] = lambda query: graph.search(query[None], 10)[1][0].tolist()
    return answers, memory


def _page(index: VectorIndex, judge: Judge, vector: NDArray[np.float32], **choice: Any) -> Page:
    query = Query("", **choice)
    videos = names_of(index).find_all(choice["video"]) if "video" in choice else None
    (page,) = answer([EmbeddedQuery(query, Filters(videos), vector)], index, judge)
    return page


def _pair(index: VectorIndex, judge: Judge, vector: NDArray[np.float32]) -> Page:
    """Return what `--then` asks for: a query's moments that another query's follow."""
    then = np.ascontiguousarray(np.roll(vector, 1))
    query = EmbeddedQuery(Query("", then="then"), Filters(), vector, then)
    (page,) = answer([query], index, judge)
    return page


def _images(index: VectorIndex, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the unit vectors of images that each resemble one view: (count, dimensions)."""
    views = index.vectors[rng.choice(len(index.vectors), count)].astype(np.float32)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    noise = rng.standard_normal(views.shape, np.float32)
    noise -= (noise * views).sum(1, keepdims=True) * views
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(LIKENESS * views + np.sqrt(1 - LIKENESS**2) * noise, np.float32)


def _exact_pages(
    answers: Answers, asked: dict[str, NDArray[np.float32]], vectors: int
) -> dict[str, list[Page]]:
    """Return the pages of each kind of search of ours when all vectors are scanned."""
    large = ivf.MAX_SCANNED_VECTORS
    ivf.MAX_SCANNED_VECTORS = vectors
    names = [name for name in answers if name.startswith("framefind")]
    pages = {name: [answers[name](query) for query in asked[name]] for name in names}
    ivf.MAX_SCANNED_VECTORS = large
    return pages


def _keys(page: Page) -> list[Any]:
    """Return what a page shows: videos where it shows these, else moments."""
    if page.videos:
        return [video.video_id for video in page.videos]
    return [(moment.video_id, moment.start) for moment in page]


def _product(matrix: NDArray[np.float32], query: NDArray[np.float32]) -> list[int]:
    scores = matrix @ query * 100
    best = np.argpartition(scores, -10)[-10:]
    return [int(row) for row in best[np.argsort(-scores[best])]]


def _any(index: VectorIndex) -> NDArray[np.float32]:
    return index.vectors[0].astype(np.float32)


def _take_turns(
    answers: Answers, asked: dict[str, NDArray[np.float32]]
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Milliseconds and answers of each contender to each query that it is asked."""
    times: dict[str, list[float]] = {name: [] for name in answers}
    found: dict[str, list[Any]] = {name: [] for name in answers}
    for _ in range(ROUNDS):
        for name, ask in answers.items():
            for query in asked[name][:WARM]:
                ask(query)
            found[name] = []
            for query in asked[name]:
                began = time.perf_counter()
                found[name].append(ask(query))
                times[name].append(1000 * (time.perf_counter() - began))
    return times, found


def _overlap(found: list[list[Any]], truth: list[list[Any]]) -> float:
    shares = [len({*a} & {*b}) / len({*b}) for a, b in zip(found, truth, strict=True) if b]
    return float(np.mean(shares))


def _extra(run: Callable[[], object]) -> int:
    """Bytes of anonymous memory that a search leaves behind; measured on the first one."""
    before = _anonymous()
    run()
    gc.collect()
    return max(0, _anonymous() - before)


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise OSError("only Linux tells a process's anonymous memory")


if __name__ == "__main__":
    main()
