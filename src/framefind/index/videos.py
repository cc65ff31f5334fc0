"""The videos of an index, of which a search reads only those that it shows."""

import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from framefind.files.arrays import load_array

_CACHED_VIDEOS = 1 << 10


@dataclass(frozen=True)
class IndexedVideo:
    """What a search needs to know of a video."""

    video_id: str
    path: str
    copies: list[str]
    duration: float | None
    modified: float | None  # seconds since 1970
    segments: list[str]
    cuts: list[float] | None = None

    @property
    def paths(self) -> list[str]:
        """Return all paths of the video: its own, then those of copies."""
        return [self.path, *self.copies]


class Videos:
    """The videos of an index, by path: a sequence that reads what is asked for."""

    def __init__(self, folder: Path) -> None:
        """Open the listing in `folder`. Raises OSError or ValueError when it is not whole."""
        self._lines = load_array(folder / "lines.npy", "r")
        self._ids = load_array(folder / "ids.npy", "r")
        self._by_id = load_array(folder / "by_id.npy", "r")
        with (folder / "videos.jsonl").open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self._cached = lru_cache(_CACHED_VIDEOS)(self._read)

    @staticmethod
    def save(folder: Path, videos: list[IndexedVideo]) -> None:
        """Write the listing of `videos` into `folder`."""
        lines = [json.dumps(asdict(video)).encode() + b"\n" for video in videos]
        (folder / "videos.jsonl").write_bytes(b"".join(lines))
        np.save(folder / "lines.npy", np.cumsum([0, *map(len, lines)]))
        ids = np.array([video.video_id.encode() for video in videos], np.bytes_)
        order = np.argsort(ids)
        np.save(folder / "ids.npy", ids[order])
        np.save(folder / "by_id.npy", order)

    def __len__(self) -> int:
        return len(self._lines) - 1

    def __getitem__(self, at: int) -> IndexedVideo:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self._cached(int(at))

    def _read(self, at: int) -> IndexedVideo:
        return IndexedVideo(**json.loads(self._text[self._lines[at] : self._lines[at + 1]]))

    def __iter__(self) -> Iterator[IndexedVideo]:
        return iter(self._all)

    @cached_property
    def _all(self) -> list[IndexedVideo]:
        return [
            IndexedVideo(**json.loads(line)) for line in self._text[: self._lines[-1]].splitlines()
        ]

    def find(self, video_id: str) -> int | None:
        """Return the ordinal of the video with that id; None when there is none."""
        key = video_id.encode()
        at = int(np.searchsorted(self._ids, np.bytes_(key)))
        is_here = at < len(self._ids) and self._ids[at] == key
        return int(self._by_id[at]) if is_here else None
