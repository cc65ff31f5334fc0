"""Does `framefind serve` stay as it is? Mixed load, and each minute its memory, threads and files.

    nice python benchmarks/soak.py [--minutes 10] [--clients 8]

A library of generated films is indexed and served by `framefind serve`, in a process of its own
with the default limits. Clients then do one thing after another, each chosen by chance: search by
text and by picture, ask for frames and clips, play by ranges, have a film copied or encoded again
while it plays, go away in the middle of all that, follow the jobs, and have a folder indexed. At
the end nobody asks for ten seconds. Linux only: it reads /proc.
"""

import argparse
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import av
import httpx
import numpy as np
from support.server import Server

import framefind

WORDS = ("a dog", "red", "a beach at night", "two people", "snow", "a blue circle")
FILMS = {  # by name: codec of the pictures, what a browser is given
    "plain.mp4": "libx264",
    "copied.mkv": "libx264",
    "encoded.avi": "mpeg4",
}
PICTURE = (640, 360)
SECONDS = 30


def main() -> None:
    """Load the server, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where to build (default: temporary)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        library = make(folder)
        ids = {Path(row.path).name: row.video_id for row in library.videos()}
        with Server(library.uri) as server:
            soak(server, folder / "films", ids, chosen.minutes, chosen.clients)
        print(f"\ntracebacks in the log: {server.log.count('Traceback')}")


def make(folder: Path) -> framefind.Library:
    """Index generated films, one for each way to be played."""
    films = folder / "films"
    films.mkdir()
    for seed, (name, codec) in enumerate(FILMS.items()):
        write_film(films / name, codec, seed)
    library = framefind.open(folder / "soak.framefind")
    library.index(films)
    return library


def write_film(path: Path, codec: str, seed: int) -> None:
    """Write half a minute of coloured blocks, another arrangement every second, with a tone."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = *PICTURE, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        for second in range(SECONDS):
            blocks = rng.integers(0, 255, (9, 16, 3), np.uint8)
            picture = np.kron(blocks, np.ones((40, 40, 1), np.uint8))
            for _ in range(25):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                container.mux(pictures.encode(frame))
            t = (np.arange(48_000) / 48_000 + second).astype(np.float32)
            tone = av.AudioFrame.from_ndarray(np.sin(t * 2000)[np.newaxis] * 0.2, "fltp", "mono")
            tone.sample_rate = 48_000
            tone.pts = second * 48_000
            container.mux(sound.encode(tone))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))


class Client(threading.Thread):
    """Does one thing after another until it is told to stop."""

    def __init__(
        self, server: Server, films: Path, ids: dict[str, str], seed: int, done: Counter[str]
    ) -> None:
        """`ids` are the videos' ids by file name; `done` counts requests by kind."""
        super().__init__(daemon=True)
        self._server = server
        self._films = films
        self._ids = ids
        self._done = done
        self._random = random.Random(seed)
        self.stopped = threading.Event()

    def run(self) -> None:
        """Do what chance says."""
        things = {
            "search": (self._search, 30),
            "picture": (self._picture, 5),
            "frame": (self._frame, 25),
            "range": (self._range, 20),
            "stream": (self._stream, 5),
            "left stream": (self._leave_stream, 10),
            "clip": (self._clip, 2),
            "left clip": (self._leave_clip, 2),
            "left upload": (self._leave_upload, 2),
            "events": (self._events, 2),
            "job": (self._job, 1),
        }
        names = [*things]
        chances = [chance for _, chance in things.values()]
        with self._server.client() as self._http:
            while not self.stopped.is_set():
                name = self._random.choices(names, chances)[0]
                try:
                    things[name][0]()
                    self._done[name] += 1
                except httpx.HTTPError as error:
                    self._done[f"{name}: {type(error).__name__}"] += 1

    def _address(self, name: str | None = None) -> str:
        chosen = name or self._random.choice(list(FILMS))
        return f"/v1/videos/{self._ids[chosen]}"

    def _t(self, end: float = SECONDS - 5.0) -> float:
        return round(self._random.uniform(0, end), 2)

    def _search(self) -> None:
        words = " ".join(self._random.sample(WORDS, 2))
        self._http.get("/v1/search", params={"q": words}).raise_for_status()

    def _picture(self) -> None:
        shown = self._http.get(f"{self._address()}/frames/{self._t()}.jpg", params={"width": 320})
        files = {"image": ("frame.jpg", shown.content, "image/jpeg")}
        self._http.post("/v1/search", files=files).raise_for_status()

    def _frame(self) -> None:
        self._http.get(f"{self._address()}/frames/{self._t()}.jpg").raise_for_status()

    def _range(self) -> None:
        first = self._random.randrange(10_000)
        headers = {"Range": f"bytes={first}-"}
        self._http.get(f"{self._address('plain.mp4')}/stream", headers=headers).raise_for_status()

    def _stream(self) -> None:
        params = {"start": self._t(), "transcode": self._random.choice(["true", "false"])}
        with self._http.stream("GET", f"{self._address()}/stream", params=params) as answer:
            for _ in zip(range(200), answer.iter_raw(), strict=False):
                pass

    def _leave_stream(self) -> None:
        query = f"?start={self._t()}&transcode={self._random.choice(['true', 'false'])}"
        self._leave(f"GET {self._address()}/stream{query} HTTP/1.1", take=20_000)

    def _clip(self) -> None:
        start = self._t()
        params = {"start": start, "end": start + 2}
        self._http.get(f"{self._address()}/clip", params=params).raise_for_status()

    def _leave_clip(self) -> None:
        self._leave(f"GET {self._address()}/clip?start=0&end=25 HTTP/1.1", take=0)

    def _leave_upload(self) -> None:
        kind = "Content-Type: multipart/form-data; boundary=b"
        self._leave(f"POST /v1/search HTTP/1.1\r\n{kind}\r\nContent-Length: 100000", take=0)

    def _events(self) -> None:
        self._leave("GET /v1/jobs/events HTTP/1.1", take=1)

    def _job(self) -> None:
        self._http.post("/v1/jobs", json={"path": str(self._films)}).raise_for_status()

    def _leave(self, head: str, take: int) -> None:
        """Ask for something, take so many bytes, and hang up."""
        host = f"Host: 127.0.0.1:{self._server.port}"
        with socket.create_connection(("127.0.0.1", self._server.port), 60) as connection:
            connection.sendall(f"{head}\r\n{host}\r\n\r\n".encode())
            time.sleep(self._random.random() / 2)
            while take > 0 and (part := connection.recv(65536)):
                take -= len(part)


def soak(server: Server, films: Path, ids: dict[str, str], minutes: float, clients: int) -> None:
    """Load the server, and print a line each minute."""
    done: Counter[str] = Counter()
    threads = [Client(server, films, ids, seed, done) for seed in range(clients)]
    print(
        "| minute | memory MB | threads | open files | requests |\n|---|---|---|---|---|",
        flush=True,
    )
    show("before", server, done)
    for thread in threads:
        thread.start()
    began = time.monotonic()
    for minute in range(1, round(minutes) + 1):
        time.sleep(max(0.0, began + 60 * minute - time.monotonic()))
        show(str(minute), server, done)
    for thread in threads:
        thread.stopped.set()
    for thread in threads:
        thread.join()
    time.sleep(10)
    show("after", server, done)
    print("\n" + ", ".join(f"{count} × {name}" for name, count in sorted(done.items())))


def show(name: str, server: Server, done: Counter[str]) -> None:
    """Print how large the server is now."""
    megabytes, threads, files = server.size()
    print(f"| {name} | {megabytes:.0f} | {threads} | {files} | {done.total()} |", flush=True)


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("it reads /proc, which only Linux has")
    main()
