"""How long does a search over HTTP take, for many clients at once, alone and while videos come in?

    python benchmarks/serve.py LIBRARY [--vectors 1000000] [--clients 50] [--seconds 20]

LIBRARY is a real one; a made-up one is fitted on it (`support/synthetic.py`) and served by
`framefind serve`, in a process of its own. Each client asks one text after another, each another
one, for a page of 24, without a pause; so all of them together keep the server busy, and the time
of one is that of its whole queue. The second time, a job indexes made-up films meanwhile.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import av
import httpx
import numpy as np
from support.server import Server
from support.synthetic import Fit, fill

from framefind.index.build import Appender, refresh
from framefind.index.videos import IndexedVideo
from framefind.tables.tables import Tables
from framefind.types import Video
from search import QUERIES

WARM_UP_SECONDS = 3.0


@dataclass(frozen=True)
class Load:
    """Seconds that each search took, and that all took on the wall and on the server's processor.

    What jobs took is not among them.
    """

    taken: list[float]
    seconds: float
    spent: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, help="where to build (default: temporary)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        library = make(folder, chosen.library, chosen.vectors)
        films = make_films(folder / "films")
        with Server(library) as server, server.client() as http:
            print("| | searches/s | p50 ms | p95 ms | max ms | CPU ms a search | frames indexed |")
            print("|---|---|---|---|---|---|---|")
            report("alone", asyncio.run(ask(server, chosen.clients, chosen.seconds)), 0)
            job = http.post("/v1/jobs", json={"path": str(films)}).json()["id"]
            while (before := indexed(http, job)) == 0:
                time.sleep(0.1)
            load = asyncio.run(ask(server, chosen.clients, chosen.seconds))
            report("indexing", load, indexed(http, job) - before)
            http.delete(f"/v1/jobs/{job}")


def make(folder: Path, real: str, vectors: int) -> Path:
    """Make a library of about so many vectors, like those of a real one; without thumbnails."""
    rng = np.random.default_rng(0)
    tables = Tables.open(real)
    fit = Fit.of(refresh(folder / "real", tables))
    tables_written = Tables.create(folder / "made.framefind", tables.fingerprint)
    index = folder / "made.framefind" / "index"
    index.mkdir()
    began = time.perf_counter()
    rows = []
    with Appender(index, None, len(fit.mean)) as appender:
        for number, (name, length) in enumerate(fill(appender, fit, vectors, rng)):
            path = f"/videos/{number % 100:02}/{number}.mp4"
            rows.append(Video(video_id=name, path=path, frames=length, segments=[name]))
            rows[-1].status = "indexed"
            rows[-1].duration = float(length)
        tables_written.publish(videos=rows)
        listed = [IndexedVideo(r.video_id, r.path, [], r.duration, 0.0, r.segments) for r in rows]
        listed.sort(key=lambda video: video.path)
        appender.commit(
            tables_written.fingerprint, tables_written.revision(), listed, tables_written.identity
        )
    took = time.perf_counter() - began
    print(f"{vectors:,} vectors of {len(rows)} videos, made in {took:.0f} s", file=sys.stderr)
    return folder / "made.framefind"


def make_films(folder: Path, count: int = 40, seconds: int = 120) -> Path:
    """Films of noise, enough to index for a while."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    first = folder / "0.mp4"
    with av.open(str(first), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width = 1280
        stream.height = 720
        stream.pix_fmt = "yuv420p"
        scenes = [rng.integers(0, 255, (9, 16, 3), np.uint8).repeat(80, 0) for _ in range(16)]
        for at in range(seconds * 10):
            pixels = np.ascontiguousarray(scenes[at // 10 % 16].repeat(80, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
    content = first.read_bytes()
    for at in range(1, count):  # other bytes at the end: another video
        (folder / f"{at}.mp4").write_bytes(content + bytes([0, 0, 0, 8]) + b"free" + bytes([at]))
    return folder


def indexed(http: httpx.Client, job: str) -> int:
    """Return how many frames a job has indexed. Raises SystemExit if it failed."""
    answer = http.get(f"/v1/jobs/{job}").json()
    if answer["error"]:
        raise SystemExit(f"the job failed: {answer['error']}")
    return answer["progress"]["frames"] if answer["progress"] else 0


async def ask(server: Server, clients: int, seconds: float) -> Load:
    """Have so many clients ask for so many seconds, after a warm-up that does not count."""
    texts = (f"{text} {number}" for number in itertools.count() for text in QUERIES)

    async def ask_all(seconds: float) -> list[float]:
        end = time.perf_counter() + seconds
        taken = await asyncio.gather(*(client(server.port, texts, end) for _ in range(clients)))
        return list(itertools.chain(*taken))

    await ask_all(WARM_UP_SECONDS)
    began = time.perf_counter()
    spent = server.processor_seconds()
    taken = await ask_all(seconds)
    return Load(taken, time.perf_counter() - began, server.processor_seconds() - spent)


async def client(port: int, texts: Iterator[str], end: float) -> list[float]:
    """Ask one text after another; return how many seconds each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    while (sent := time.perf_counter()) < end:
        url = f"/v1/search?limit=24&q={quote(next(texts))}"
        writer.write(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b" 200 " in head, head
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        taken.append(time.perf_counter() - sent)
    writer.close()
    return taken


def report(name: str, load: Load, indexed: int) -> None:
    """Print a row."""
    p50, p95, most = np.percentile(load.taken, [50, 95, 100]) * 1000
    rate = len(load.taken) / load.seconds
    cpu = 1000 * load.spent / len(load.taken)
    print(f"| {name} | {rate:.0f} | {p50:.0f} | {p95:.0f} | {most:.0f} | {cpu:.1f} | {indexed} |")


if __name__ == "__main__":
    main()
