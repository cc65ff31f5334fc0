"""Thousands of queries in one go: by a Spark job beside `Library.search_batch`.

    python benchmarks/spark_batch.py LIBRARY [--vectors N] [--queries N] [--master local[2]]

LIBRARY is an indexed library of real videos, on which the made-up one is fitted
(`support/synthetic.py`; its frames have no thumbnails). Each side runs in a process of its own and
gathers all pages in memory; embedding the texts counts. The local one finds its index up to date.
CPU time is that of all processes, memory the most that all had together. The pages are compared,
and must be equal.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from support.synthetic import VIEWS, Fit, list_array, video_lengths

import framefind
from framefind.index.build import refresh
from framefind.tables.rows import new_segment
from framefind.tables.schema import FRAMES
from framefind.tables.tables import Tables
from framefind.types import Video

FILE = 30_000  # frames of a data file
WORDS = [
    ("red", "old", "small", "wet", "broken", "wooden", "shiny", "dark", "young", "tall", "lonely"),
    ("dog", "cat", "car", "bus", "train", "tree", "house", "bridge", "boat", "child", "cyclist"),
    ("beach", "kitchen", "street", "forest", "stage", "station", "garden", "field", "office"),
    ("at night", "in the rain", "in the snow", "at noon", "in fog", "from above", "up close"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--side", choices=["local", "spark"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        return _run(chosen)
    with tempfile.TemporaryDirectory() as name:
        library_path = Path(name, "made-up.framefind")
        videos = write(library_path, chosen.library, chosen.vectors)
        print(f"{chosen.vectors:,} vectors, {videos} videos, {chosen.queries:,} queries\n")
        print("| | seconds | CPU seconds | memory, MB |\n|---|---|---|---|", flush=True)
        pages = []
        for side in ("local", "spark"):
            command = [sys.executable, __file__, str(library_path), "--side", side]
            command += ["--queries", str(chosen.queries), "--master", chosen.master]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            took, moments = map(json.loads, done.splitlines()[-2:])
            pages.append(moments)
            label = "`search_batch`" if side == "local" else f"Spark, {chosen.master}"
            wall = took["wall"]
            cpu = took["cpu"]
            memory = took["memory"]
            print(f"| {label} | {wall:.1f} | {cpu:.1f} | {memory:.0f} |", flush=True)
        assert pages[0] == pages[1], "the pages differ"
        print(f"\n{len(pages[0]):,} moments, equal")
    return None


def write(library_path: Path, real: str, vectors: int) -> int:
    """Make a library of about so many vectors, like those of a real one; gives its videos."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Tables.open(real)
        fit = Fit.of(refresh(Path(folder) / "real", tables))
    rng = np.random.default_rng(0)
    new = Tables.create(library_path, tables.fingerprint)
    waiting: list[Video] = []
    writer = new.writer()
    count = 0
    for at, frames in enumerate(video_lengths(rng, vectors // VIEWS)):
        segment = new_segment()
        writer.extend(_rows(f"{at:032x}", segment, fit.video(rng, frames)))
        row = Video(video_id=f"{at:032x}", path=f"/videos/{rng.integers(1000):03}/{at}.mp4")
        row.frames = frames
        row.duration = float(frames)
        row.segments = [segment]
        waiting.append(row)
        count += 1
        if writer.rows > FILE:
            new.publish(writer.close(), waiting)
            writer = new.writer()
            waiting = []
    new.publish(writer.close(), waiting)
    return count


def _rows(video_id: str, segment: str, vectors: np.ndarray) -> pa.Table:
    frames = len(vectors) // VIEWS
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (len(vectors), 1))
    columns = [
        pa.array([video_id] * frames),
        pa.array([segment] * frames),
        pa.array(np.arange(frames, dtype=np.float64)),
        pa.array([b""] * frames, pa.binary()),
        list_array(boxes),
        list_array(vectors.astype(np.float16).astype(np.float32)),
    ]
    return pa.Table.from_arrays(columns, schema=FRAMES)


def _run(chosen: argparse.Namespace) -> None:
    """Do one side, and print what it took, and all its moments."""
    texts = [f"a {how} {thing}, {where} {when}" for how, thing, where, when in product(*WORDS)]
    rng = np.random.default_rng(1)
    texts = [texts[at] for at in rng.permutation(len(texts))[: chosen.queries]]
    library = framefind.open(chosen.library)
    if chosen.side == "local":
        library.vector_index.get()
        with Watch() as watch:
            pages = list(library.search_batch(texts))
        moments = [
            (at, rank, moment.video_id, moment.start, moment.score, moment.confidence)
            for at, page in enumerate(pages)
            for rank, moment in enumerate(page, 1)
        ]
    else:
        from pyspark.sql import SparkSession

        from framefind.spark import search

        spark = SparkSession.builder.master(chosen.master).getOrCreate()
        with Watch() as watch:
            rows = search(spark, library, texts).collect()
        names = ("query", "rank", "video_id", "start", "score", "confidence")
        moments = [tuple(row[name] for name in names) for row in rows]
    print(json.dumps({"wall": watch.wall, "cpu": watch.cpu, "memory": watch.memory}))
    print(json.dumps(moments))


class Watch:
    """Wall and CPU seconds of this process and all below, and the most memory (MB) of all."""

    def __enter__(self) -> "Watch":
        self._me = psutil.Process()
        self._ended = threading.Event()
        self._began = time.perf_counter()
        self._before = self._cpu()
        self.memory = 0.0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._began, self._cpu() - self._before
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self.memory = max(self.memory, sum(self._each("memory_info", "rss")) / 1e6)

    def _cpu(self) -> float:
        names = ("user", "system", "children_user", "children_system")
        return sum(self._each("cpu_times", *names))

    def _each(self, method: str, *fields: str) -> list[float]:
        values = []
        for process in (self._me, *self._me.children(recursive=True)):
            try:
                facts = getattr(process, method)()
            except psutil.Error:
                continue
            values += [getattr(facts, field) for field in fields]
        return values


if __name__ == "__main__":
    main()
