"""One opened index."""

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from framefind.errors import QueryError
from framefind.files.arrays import load_array
from framefind.index.checksums import (
    SUMS,
    DamagedIndexError,
    check_sealed,
    crc,
    load_manifest,
    sum_rows,
)
from framefind.index.text import SavedText, TextIndex
from framefind.index.timeline import Timeline
from framefind.index.videos import IndexedVideo, Videos

if TYPE_CHECKING:
    from framefind.tables.delta_log import Revision

FORMAT = 11

_CHECKED_ROWS = 1 << 12  # vectors that are checked at a time

FRAME = np.dtype(
    [
        ("t", "<f8"),
        ("first", "<i8"),  # the row of its first view
        ("views", "<i4"),
        ("segment", "<i4"),  # ordinal
        ("error", "<f4"),  # the largest of its views (`products.encode`)
        ("length", "<f4"),  # the largest of its views
    ]
)


@dataclass(frozen=True)
class Sources:
    """Where the frames of an index come from.

    `files` holds the rows of each segment in each data file of the table that was read, and `rows`
    those of each segment that the index holds.
    """

    files: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


class VectorIndex:
    """One opened index; reads only what a query touches. It never changes: open it again."""

    def __init__(self, folder: Path, exact: bool = False) -> None:
        """Open the index in `folder`.

        An index with `exact` is scanned whole, however large it is, and is not checked, since it
        has just been written. Raises FileNotFoundError when there is none to use, and
        DamagedIndexError when its files are not as they were written.
        """
        self.exact = exact
        manifest = load_manifest(folder, FORMAT)
        self.revision: Revision = tuple(manifest["revision"])
        self.identity: str = manifest["identity"]
        self.fingerprint: dict[str, str] = manifest["fingerprint"]
        self.dimensions = int(self.fingerprint["dimensions"])
        self.lost: list[str] = manifest["lost"]
        self.lost_words: list[str] = manifest["lost_words"]
        self.unread: dict[str, str] = manifest["unread"]
        self.generation = folder / manifest["generation"]
        self._listing = folder / manifest["listing"]
        self.saved_text: SavedText | None = None
        if text := manifest["text"]:
            self.saved_text = SavedText(folder / text["folder"], text["sealed"])
            self.saved_text.folder.stat()  # it may have been deleted
        vectors = manifest["vectors"]
        frames = manifest["frames"]
        names = manifest["names"]
        self.vectors = self._map("vectors", np.float16, (vectors, self.dimensions))
        self.codes = self._map("codes", np.int8, (vectors, self.dimensions))
        self.scales = self._map("scales", np.float32, (vectors,))
        self.boxes = self._map("boxes", np.float32, (vectors, 4))
        self.sums = self._map("sums", SUMS, (vectors,))
        self.frames = self._map("frames", FRAME, (frames,))
        self._names = self._map("segments", np.uint8, (names,))
        self.checksums: dict[str, int] = manifest["checksums"]
        if not self.exact:
            self._check_small(manifest["sealed"])
        self.damaged: str | None = None  # the damage that was noticed after opening
        self._checked = {name: np.zeros(vectors, bool) for name in ("codes", "vectors")}
        self._owners = load_array(self._listing / "owners.npy")  # video ordinal of each segment
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
        if self.exact or not new.any():
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
        for at in range(0, len(self.vectors), _CHECKED_ROWS):
            for name in ("codes", "vectors"):
                self.check(name, slice(at, min(at + _CHECKED_ROWS, len(self.vectors))))

    @cached_property
    def text(self) -> TextIndex | None:
        """Return the words of the library; None where it has none. Raises DamagedIndexError."""
        if self.saved_text is None:
            return None
        try:
            return TextIndex(self.saved_text)
        except (OSError, ValueError, EOFError, DamagedIndexError) as error:
            self.damaged = str(error)
            raise DamagedIndexError(self.damaged) from error

    @cached_property
    def sources(self) -> "Sources":
        """Return where the frames come from."""
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
        """Return the names of all segments, dead ones too."""
        return self._names.tobytes().decode("ascii").split()

    def owners(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ordinals of the videos of the frames with those ordinals; -1 of dead ones."""
        return np.asarray(self._owners[self.frames["segment"][frames]], np.int64)

    @cached_property
    def first_views(self) -> NDArray[np.int64]:
        """Return the row of each frame's first view, then the number of views: (frames + 1,)."""
        return np.append(self.frames["first"], len(self.vectors))

    @cached_property
    def video_errors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the largest `error` and `length` among the frames of each video, 0 without any.

        Both are float32 (videos,).
        """
        line = self.timeline
        first, _ = line.of_videos
        largest = np.zeros((2, len(self.videos)), np.float32)
        if len(line):
            for row, name in zip(largest, ("error", "length"), strict=True):
                row[line.video[first]] = np.maximum.reduceat(self.frames[name][line.frame], first)
        return largest[0], largest[1]

    def read_vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows of the vectors: float32 (rows, dimensions)."""
        self.check("vectors", rows)
        return self.vectors[rows].astype(np.float32)

    def rows_of(self, frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of all views of some frames, and for each its frame's place in `frames`.

        Both are int64 (views,).
        """
        counts = self.frames["views"][frames].astype(np.int64)
        owner = np.repeat(np.arange(len(frames)), counts)
        first = self.frames["first"][frames] - (np.cumsum(counts) - counts)
        return np.arange(len(owner)) + first[owner], owner

    def rows(self, frame: int) -> slice:
        """Return the rows of `vectors` and `boxes` that hold the views of one frame."""
        first = self.frames["first"][frame]
        views = self.frames["views"][frame]
        return slice(int(first), int(first + views))

    def video(self, video_id: str) -> IndexedVideo:
        """Return the video with that id. Raises QueryError when the index has none."""
        return self.videos[self._ordinal(video_id)]

    def line_of(self, video_id: str) -> Timeline:
        """Return the frames of one video. Raises QueryError when the index has no such video."""
        mask = np.zeros(len(self.videos), bool)
        mask[self._ordinal(video_id)] = True
        return self.timeline.select(mask)

    def _ordinal(self, video_id: str) -> int:
        ordinal = self.videos.find(video_id)
        if ordinal is None:
            raise QueryError(f"video {video_id} is not in the library")
        return ordinal

    def frame_at(self, video_id: str, t: float) -> int:
        """Return the ordinal of the sampled frame that stands for time `t` of a video.

        Raises QueryError when the index has no such video.
        """
        line = self.timeline
        owner = self._ordinal(video_id)
        first, last = np.searchsorted(line.video, [owner, owner + 1])
        if first == last:
            raise QueryError(f"video {video_id} has no frames in the library")
        at = first + int(np.searchsorted(line.t[first:last], t, "right")) - 1
        return int(line.frame[max(first, at)])

    def frame_key(self, video_id: str, t: float) -> tuple[str, str, float]:
        """Return the key of that frame in the tables: `video_id`, segment and time in seconds.

        Raises QueryError when the index has no such video.
        """
        frame = self.frame_at(video_id, t)
        segment = self.segments[int(self.frames["segment"][frame])]
        return video_id, segment, float(self.frames["t"][frame])
