"""A storm over a watched folder: is the library in the end what a fresh index would make?

    python benchmarks/watch.py --files 10000 --seconds 300 --kills 10

Small films are dropped in (whole, in two parts, or under a hidden name first), moved, copied,
rewritten and deleted at random, while `framefind watch` is killed again and again. In the end every
path must have the video, the frames and the status that a fresh `index` gives it, and nothing may
be there twice. Before the storm, films are dropped one by one to see how soon each is searchable.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

import framefind
from framefind.tables.tables import Tables

_FOLDERS = 20
_FILMS = 10  # with different pictures; each file has its own bytes

State = dict[str, tuple[str, str, tuple[float, ...]]]
"""By path: the video's id, its status, and the times of its frames that count."""


def main() -> None:
    """Print how soon single files are searchable, and whether a storm leaves the right rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000, help="that are dropped in")
    parser.add_argument("--seconds", type=float, default=300.0, help="that the storm lasts")
    parser.add_argument("--kills", type=int, default=10, help="of the watcher")
    parser.add_argument("--singles", type=int, default=10, help="files dropped one by one before")
    parser.add_argument("--settle", type=float, default=2.0, help="as for `watch`")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        storm = Storm(Path(name), options.seed, options.settle)
        try:
            storm.time_single()  # the watcher starts
            delays = [storm.time_single() for _ in range(options.singles)]
            if delays:
                print(
                    f"searchable after: median {statistics.median(delays):.1f} s, "
                    f"longest {max(delays):.1f} s, of {len(delays)} single files"
                )
            storm.blow(options.files, options.seconds, options.kills)
            print(storm.counts(), flush=True)
            print(f"as a fresh index {storm.settle():.1f} s after the last change", flush=True)
        finally:
            storm.end()


class Storm:
    """A folder that changes at random, its library, and the watcher between them."""

    def __init__(self, folder: Path, seed: int, settle: float) -> None:
        self._random = random.Random(seed)
        self._settle = settle
        self._folder = folder / "videos"
        self._library = framefind.open(folder / "watched.framefind")
        self._fresh = framefind.open(folder / "fresh.framefind")
        self._films = [_film(folder / f"film{number}.mp4", number) for number in range(_FILMS)]
        self._made = 0
        self._done = dict.fromkeys(("dropped", "moved", "copied", "rewritten", "deleted"), 0)
        self._files: list[Path] = []
        self._unfinished: list[tuple[Path, bytes]] = []
        for number in range(_FOLDERS):
            (self._folder / str(number)).mkdir(parents=True)
        self._log = (folder / "watch.log").open("w+")
        self._watcher = self._start()

    def time_single(self) -> float:
        """Drop a file and return after how many seconds the library has it."""
        path = self._new_path()
        path.write_bytes(self._content())
        self._files.append(path)
        began = time.monotonic()
        self._wait_for(path, 60)
        return time.monotonic() - began

    def blow(self, files: int, seconds: float, kills: int) -> None:
        """Drop so many files, and change them at random, in so many seconds."""
        began = time.monotonic()
        killings = [seconds * (kill + self._random.random()) / kills for kill in range(kills)]
        kinds = [*["drop"] * files, *["move", "copy", "rewrite", "delete"] * (files // 10)]
        self._random.shuffle(kinds)
        for number, kind in enumerate(kinds):
            while killings and time.monotonic() - began >= killings[0]:
                killings.pop(0)
                self._watcher.kill()
                self._watcher.wait()
                self._watcher = self._start()
            getattr(self, f"_{kind}")()
            time.sleep(max(0.0, began + seconds * number / len(kinds) - time.monotonic()))
        while self._unfinished:
            self._finish_one()

    def counts(self) -> str:
        """Return what was done."""
        return ", ".join(f"{count} {name}" for name, count in self._done.items())

    def settle(self, limit: float = 1800.0) -> float:
        """Wait until the library is as a fresh index; return the seconds. Raises AssertionError."""
        began = time.monotonic()
        self._fresh.index(self._folder, read="none")
        expected = state(self._fresh)
        while (difference := _differences(expected, self._present())) and (
            time.monotonic() - began < limit
        ):
            time.sleep(0.2 + len(expected) / 1000)
        took = time.monotonic() - began
        assert not difference, f"{len(difference)} paths differ, such as {difference[:3]}"
        self.end()
        self._library.prune()
        assert not (left := _differences(expected, state(self._library))), left[:3]
        return took

    def end(self) -> None:
        """Stop the watcher."""
        self._watcher.terminate()
        self._watcher.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = ["--library", self._library.uri, "--settle", str(self._settle)]
        command = [sys.executable, "-m", "framefind.cli", "watch", str(self._folder), *arguments]
        return subprocess.Popen([*command, "--read", "none"], stdout=self._log, stderr=self._log)

    def _present(self) -> State:
        """Return what the library has of files that are there."""
        if not self._library.exists:
            return {}
        return {path: row for path, row in state(self._library).items() if os.path.exists(path)}

    def _wait_for(self, path: Path, limit: float) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end and not (
            self._library.exists
            and any(str(path) in row.paths and row.frames for row in self._library.videos())
        ):
            time.sleep(0.1)

    def _content(self) -> bytes:
        """Return a film that no other file has: its last box differs."""
        self._made += 1
        mark = self._made.to_bytes(8, "big")
        return self._random.choice(self._films) + b"\0\0\0\x10free" + mark

    def _new_path(self) -> Path:
        folder = self._folder / str(self._random.randrange(_FOLDERS))
        return folder / f"{self._made} {self._random.random():.6f}.mp4"

    def _drop(self) -> None:
        path, content = self._new_path(), self._content()
        way = self._random.random()
        if way < 0.2:
            half = len(content) // 2
            path.write_bytes(content[:half])
            self._unfinished.append((path, content[half:]))
            if len(self._unfinished) > 5:
                self._finish_one()
        elif way < 0.4:
            hidden = path.with_name(f".{path.name}.part")
            hidden.write_bytes(content)
            hidden.rename(path)
        else:
            path.write_bytes(content)
        if way >= 0.2:
            self._files.append(path)
        self._done["dropped"] += 1

    def _finish_one(self) -> None:
        path, remainder = self._unfinished.pop(0)
        with path.open("ab") as file:
            file.write(remainder)
        self._files.append(path)

    def _move(self) -> None:
        for path in self._take():
            target = self._new_path()
            path.rename(target)
            self._files.append(target)
            self._done["moved"] += 1

    def _copy(self) -> None:
        for path in self._take():
            self._files += [path, Path(shutil.copy(path, self._new_path()))]
            self._done["copied"] += 1

    def _rewrite(self) -> None:
        for path in self._take():
            path.write_bytes(self._content())
            self._files.append(path)
            self._done["rewritten"] += 1

    def _delete(self) -> None:
        for path in self._take():
            path.unlink()
            self._done["deleted"] += 1

    def _take(self) -> Iterator[Path]:
        """Yield one of the files, if there are any; it is put back by whoever keeps it."""
        if self._files:
            yield self._files.pop(self._random.randrange(len(self._files)))


def state(library: framefind.Library) -> State:
    """Return what counts in a library, read from its tables. Raises AssertionError for doubles."""
    tables = Tables.open(library.uri)
    rows = tables.videos()
    owner = {segment: row.video_id for row in rows for segment in row.segments}
    times: dict[str, list[float]] = {row.video_id: [] for row in rows}
    for file in tables.frame_files():
        for batch in tables.read_frames(file, owner.keys()):
            for frame in batch.to_pylist():
                times[frame["video_id"]].append(frame["t"])
    shown: State = {}
    for row in rows:
        frames = tuple(sorted(times[row.video_id]))
        assert len({*frames}) == len(frames) == row.frames, row.path
        for path in row.paths:
            assert path not in shown, f"{path} is there twice"
            shown[path] = (row.video_id, row.status, frames)
    return shown


def _differences(expected: State, actual: State) -> list[tuple[str, object, object]]:
    paths = sorted(expected.keys() | actual.keys())
    rows = [(path, expected.get(path), actual.get(path)) for path in paths]
    return [row for row in rows if row[1] != row[2]]


def _film(path: Path, seed: int) -> bytes:
    noise = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(2))
        stream.width = stream.height = 64
        for _ in range(2):
            picture = np.kron(noise.integers(0, 256, (4, 4, 3), np.uint8), np.ones((16, 16, 1)))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.astype(np.uint8)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


if __name__ == "__main__":
    main()
