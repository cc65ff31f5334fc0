"""One opened index."""

import json
import math
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.files.arrays import load_array
from framefind.index import ivf
from framefind.index.checksums import (
    SUMS,
    DamagedIndexError,
    check_sealed,
    crc,
    load_manifest,
    sum_rows,
)
from framefind.index.timeline import Timeline

if TYPE_CHECKING:
    from framefind.tables.delta_log import Revision

FORMAT = 6
EXACT = 1 << 20
"""Vectors up to which all are scanned."""

_BLOCK = 1 << 12  # vectors that are checked at a time
_KNOWN = 1 << 10  # videos that are read only once
_FRAMES = 15_000  # in which the best moments of a larger index are looked for
_NEAREST = 8000  # views that the lists name: thousands may be of one video
FRAME = np.dtype(
    [
        ("t", "<f8"),
        ("first", "<i8"),  # the row of its first view
        ("views", "<i4"),
        ("segment", "<i4"),  # ordinal
        ("error", "<f4"),  # the largest of its views (`scan.encode`)
        ("length", "<f4"),  # the largest of its views
    ]
)


@dataclass(frozen=True)
class IndexedVideo:
    """What a search needs to know of a video."""

    video_id: str
    path: str
    copies: list[str]
    duration: float | None
    modified: float | None  # seconds since 1970
    segments: list[str]

    @property
    def paths(self) -> list[str]:
        """All paths of the video: its own, then those of copies."""
        return [self.path, *self.copies]


@dataclass(frozen=True)
class Sources:
    """Where the frames of an index come from.

    `files` holds the rows of each segment in each data file of the table that was read, and `rows`
    those of each segment that the index holds.
    """

    files: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


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
        self._one = lru_cache(_KNOWN)(self._read)

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
        return self._one(int(at))

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
        """The ordinal of the video with that id, if there is one."""
        wanted = video_id.encode()
        at = int(np.searchsorted(self._ids, np.bytes_(wanted)))
        found = at < len(self._ids) and self._ids[at] == wanted
        return int(self._by_id[at]) if found else None


class VectorIndex:
    """One opened index; reads only what a query touches. It never changes: open it again."""

    def __init__(self, folder: Path, exact: bool = False) -> None:
        """Open the index in `folder`.

        An `exact` one is scanned whole, however large it is, and is not checked: it has just been
        written. Raises FileNotFoundError when there is none to use, and DamagedIndexError when its
        files are not as they were written.
        """
        self._exact = exact
        manifest = load_manifest(folder, FORMAT)
        self.revision: Revision = tuple(manifest["revision"])
        self.identity: str = manifest["identity"]
        self.fingerprint: dict[str, str] = manifest["fingerprint"]
        self.dimensions = int(self.fingerprint["dimensions"])
        self.lost: list[str] = manifest["lost"]
        self.unread: dict[str, str] = manifest["unread"]
        self.generation = folder / manifest["generation"]
        self._listing = folder / manifest["listing"]
        vectors, frames, names = manifest["vectors"], manifest["frames"], manifest["names"]
        self.vectors = self._map("vectors", np.float16, (vectors, self.dimensions))
        self.codes = self._map("codes", np.int8, (vectors, self.dimensions))
        self.scales = self._map("scales", np.float32, (vectors,))
        self.boxes = self._map("boxes", np.float32, (vectors, 4))
        self.sums = self._map("sums", SUMS, (vectors,))
        self.frames = self._map("frames", FRAME, (frames,))
        self._names = self._map("segments", np.uint8, (names,))
        self.checksums: dict[str, int] = manifest["checksums"]
        if not exact:
            self._check_small(manifest["sealed"])
        self.damaged: str | None = None  # what was found since it was opened
        self._checked = {name: np.zeros(vectors, bool) for name in ("codes", "vectors")}
        self._lists: ivf.Lists | None = None
        self._asked = False  # for lists
        self._owners = load_array(self._listing / "owners.npy")  # of segments, the videos' ordinals
        self.videos = Videos(self._listing)
        self.timeline = Timeline.load(self._listing)

    def _check_small(self, sealed: dict[str, list[int]]) -> None:
        """Check all but vectors and codes. Raises DamagedIndexError."""
        check_sealed(self._listing, sealed)
        small = {"frames": self.frames, "segments": self._names, "sums": self.sums}
        for name, array in small.items():
            if crc(array) != self.checksums[name]:
                raise DamagedIndexError(f"{self.generation / name} is damaged")

    def check(self, name: Literal["codes", "vectors"], rows: slice | NDArray[np.int64]) -> None:
        """Check rows of the codes or the vectors when they are first read.

        Raises DamagedIndexError when they are not as they were written.
        """
        new = ~self._checked[name][rows]
        if self._exact or not new.any():
            return
        if not isinstance(rows, slice):
            rows = rows[new]
        if name == "codes":
            sums = sum_rows(self.codes[rows], self.scales[rows])
        else:
            sums = sum_rows(self.vectors[rows], self.boxes[rows])
        if (sums != self.sums[name][rows]).any():
            both = "codes or scales" if name == "codes" else "vectors or boxes"
            self.damaged = f"{both} in {self.generation} are damaged"
            raise DamagedIndexError(self.damaged)
        self._checked[name][rows] = True

    def check_all(self) -> None:
        """Check all vectors and codes, which is to read them. Raises DamagedIndexError."""
        for at in range(0, len(self.vectors), _BLOCK):
            for name in ("codes", "vectors"):
                self.check(name, slice(at, min(at + _BLOCK, len(self.vectors))))

    @cached_property
    def sources(self) -> "Sources":
        """Where its frames come from."""
        with (self._listing / "sources.json").open("rb") as file:
            return Sources(**json.loads(file.readline()))

    def _map(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        if shape[0] == 0:
            return np.empty(shape, dtype)  # an empty file cannot be mapped
        if (self.generation / name).stat().st_size < np.dtype(dtype).itemsize * math.prod(shape):
            raise DamagedIndexError(f"{self.generation / name} is cut short")
        return np.memmap(self.generation / name, dtype, "r", shape=shape).view(np.ndarray)

    @cached_property
    def segments(self) -> list[str]:
        """The names of all segments, dead ones too."""
        return self._names.tobytes().decode("ascii").split()

    def scans(self, line: Timeline) -> bool:
        """Whether to scan all frames of `line`: up to about a million vectors."""
        return self._exact or len(line) * len(self.vectors) <= EXACT * len(self.frames)

    def likely(self, line: Timeline, queries: Sequence[NDArray[np.float32]]) -> Timeline:
        """The videos of `line` that should hold the moments that are best for all queries together.

        All of them up to about a million vectors, and while the lists are not ready. What is
        chosen depends on nothing else, so that all pages of a search are of the same videos.
        """
        if self.scans(line):
            return line
        known = self._ready()
        if known is None:
            return line
        # Newer lists may hold frames that this index has not got.
        all_of_them = len(line) == len(self.frames) >= known.state.frames
        keep = None if all_of_them else self._mask(line)
        # What is best for two together is rarely among the best for either.
        most, nearest = (_FRAMES, _NEAREST) if len(queries) < 2 else (8 * _FRAMES, 4 * _NEAREST)
        total = np.zeros(len(self.videos))
        for query in queries:
            frames, scores = known.nearest(query, nearest, keep)
            best = np.full(len(total), scores.min(initial=0), np.float32)
            np.maximum.at(best, self._owner(frames), scores)
            total += best
        videos = np.argsort(-total, kind="stable")[:most]
        frames = np.diff(np.searchsorted(line.video, [videos, videos + 1]), axis=0)[0]
        later = self._owner(np.arange(known.state.frames, len(self.frames)))
        chosen = np.zeros(len(self.videos), bool)
        chosen[videos[np.cumsum(frames) - frames < most]] = True
        chosen[later[later >= 0]] = True
        return line.select(chosen)

    def _mask(self, line: Timeline) -> NDArray[np.bool_]:
        """Which frames `line` has."""
        if line is self.timeline:
            return self._alive
        keep = np.zeros(len(self.frames), bool)
        keep[line.frame] = True
        return keep

    @cached_property
    def _alive(self) -> NDArray[np.bool_]:
        keep = np.zeros(len(self.frames), bool)
        keep[self.timeline.frame] = True
        return keep

    def _ready(self) -> "ivf.Lists | None":
        """The newest inverted lists; has them built when there are none."""
        if self._lists is None or self._lists.behind(self):
            self._lists = ivf.opened(self) or self._lists
            if self._lists is None and not self._asked:
                self._asked = True
                ivf.start(self)
        return self._lists

    def _owner(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ordinals of the videos that have the frames with those ordinals; -1 of dead ones."""
        return np.asarray(self._owners[self.frames["segment"][frames]], np.int64)

    @cached_property
    def first_views(self) -> NDArray[np.int64]:
        """The row of each frame's first view, and last the number of views: int64 (frames + 1,)."""
        return np.append(self.frames["first"], len(self.vectors))

    @cached_property
    def video_errors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The largest `error` and `length` among the frames of each video; 0 where it has none."""
        line, (first, _) = self.timeline, self.timeline.of_videos
        largest = np.zeros((2, len(self.videos)), np.float32)
        if len(line):
            for row, name in zip(largest, ("error", "length"), strict=True):
                row[line.video[first]] = np.maximum.reduceat(self.frames[name][line.frame], first)
        return largest[0], largest[1]

    def views(self, frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first row and the number of the views of the frames with those ordinals."""
        return self.frames["first"][frames], self.frames["views"][frames].astype(np.int64)

    def rows(self, frame: int) -> slice:
        """The rows of `vectors` and `boxes` that hold the views of the frame with that ordinal."""
        first, views = self.frames["first"][frame], self.frames["views"][frame]
        return slice(int(first), int(first + views))

    def video(self, video_id: str) -> IndexedVideo:
        """The video with that id. Raises QueryError when the index has none."""
        return self.videos[self._ordinal(video_id)]

    def line_of(self, video_id: str) -> Timeline:
        """The frames of one video. Raises QueryError when the index has no such video."""
        wanted = np.zeros(len(self.videos), bool)
        wanted[self._ordinal(video_id)] = True
        return self.timeline.select(wanted)

    def _ordinal(self, video_id: str) -> int:
        found = self.videos.find(video_id)
        if found is None:
            raise QueryError(f"video {video_id} is not in the library")
        return found

    def frame_at(self, video_id: str, t: float) -> int:
        """The ordinal of the sampled frame that stands for time `t` of a video.

        Raises QueryError when the index has no such video.
        """
        line, owner = self.timeline, self._ordinal(video_id)
        first, last = np.searchsorted(line.video, [owner, owner + 1])
        if first == last:
            raise QueryError(f"video {video_id} has no frames in the library")
        at = first + int(np.searchsorted(line.t[first:last], t, "right")) - 1
        return int(line.frame[max(first, at)])

    def segment(self, frame: int) -> str:
        """The segment of the frame with that ordinal."""
        return self.segments[int(self.frames["segment"][frame])]
