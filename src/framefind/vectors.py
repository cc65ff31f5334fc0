"""The vector index: what a search reads, derived from the tables and rebuildable at any time.

A folder of memory-mapped, append-only files and one small manifest that says how much of each
counts. New vectors are appended first and the manifest is replaced last, so that a crash leaves
the old index whole. A segment that its video no longer lists is dead: its rows are passed over.
"""

import contextlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from framefind.errors import LibraryError, QueryError

if TYPE_CHECKING:
    import pyarrow

    from framefind.tables import Tables

FORMAT = 1
_FRAME = np.dtype([("t", "<f8"), ("first", "<i8"), ("segment", "<i4")])
_DEAD_SHARE = 0.3  # of the frames; beyond it the index is built anew


@dataclass(frozen=True)
class IndexedVideo:
    """What a search needs to know of a video."""

    video_id: str
    path: str
    copies: list[str]
    duration: float | None
    modified: float | None  # seconds since 1970
    segments: list[str]


@dataclass(frozen=True)
class Timeline:
    """All frames that count, ordered by video and time; arrays of equal length."""

    frame: NDArray[np.int64]  # ordinal in the index
    video: NDArray[np.int64]  # ordinal in `VectorIndex.videos`
    t: NDArray[np.float64]
    until: NDArray[np.float64]  # the time up to which the frame stands
    interval: NDArray[np.float64]  # the sampling interval of its video


class VectorIndex:
    """One opened index; reads only what a query touches. It never changes: open it again."""

    def __init__(self, folder: Path) -> None:
        """Open the index in `folder`. Raises FileNotFoundError when there is none to use."""
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise FileNotFoundError(folder)
        self.versions: tuple[int, int] = tuple(manifest["versions"])
        self.fingerprint: dict[str, str] = manifest["fingerprint"]
        self.dimensions = int(self.fingerprint["dimensions"])
        self._files: list[str] = manifest["files"]
        self._generation = folder / manifest["generation"]
        vectors, frames = manifest["vectors"], manifest["frames"]
        self.vectors = _map(self._generation / "vectors", np.float32, (vectors, self.dimensions))
        self.boxes = _map(self._generation / "boxes", np.float32, (vectors, 4))
        self.frames = _map(self._generation / "frames", _FRAME, (frames,))
        names = (self._generation / "segments").read_text("ascii").split()
        self._segments: list[str] = names[: manifest["segments"]]
        self.videos = [
            IndexedVideo(**video)
            for video in json.loads((folder / manifest["videos"]).read_text("utf-8"))
        ]

    @cached_property
    def timeline(self) -> Timeline:
        """The frames that count, ordered by video and time."""
        owner = {name: at for at, video in enumerate(self.videos) for name in video.segments}
        owners = np.array([owner.get(name, -1) for name in self._segments], np.int64)
        video = owners[self.frames["segment"]] if len(owners) else np.empty(0, np.int64)
        frame = np.flatnonzero(video >= 0)
        video, t = video[frame], self.frames["t"][frame]
        order = np.lexsort((t, video))
        frame, video, t = frame[order], video[order], t[order]
        first = np.flatnonzero(np.diff(video, prepend=-1))
        counts = np.diff(first, append=len(video))
        last = first + counts - 1
        span = t[last] - t[first]
        interval = np.where(counts > 1, span / np.maximum(1, counts - 1), 1.0)
        until = np.append(t, 0.0)[1:]
        durations = [self.videos[at].duration or 0.0 for at in video[first]]
        until[last] = np.maximum(durations, t[last]) if len(last) else until[last]
        unknown = last[until[last] <= t[last]]
        until[unknown] = t[unknown] + interval[np.searchsorted(last, unknown)]
        return Timeline(frame, video, t, until, np.repeat(interval, counts))

    def score(self, query: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score every view and every frame of the timeline: cosine × 100 with a unit `query`.

        Returns float32 (views,) in the order of the index, and float32 (frames,) in the order of
        the timeline, a frame's score being its best view's.
        """
        # Not `@`: there, the last bits of a row's product depend on how many rows there are.
        views = np.einsum("ij,j->i", self.vectors, query) * np.float32(100)
        if not len(self.frames):
            return views, np.empty(0, np.float32)
        return views, np.maximum.reduceat(views, self.frames["first"])[self.timeline.frame]

    def rows(self, frame: int) -> slice:
        """The rows of `vectors` and `boxes` that hold the views of the frame with that ordinal."""
        end = self.frames["first"][frame + 1] if frame + 1 < len(self.frames) else len(self.vectors)
        return slice(int(self.frames["first"][frame]), int(end))

    def frame_at(self, video_id: str, t: float) -> int:
        """The ordinal of the sampled frame that stands for time `t` of a video.

        Raises QueryError when the index has no such video.
        """
        line = self.timeline
        ids = [video.video_id for video in self.videos]
        owner = ids.index(video_id) if video_id in ids else -1
        first, last = np.searchsorted(line.video, [owner, owner + 1])
        if owner < 0 or first == last:
            raise QueryError(f"video {video_id} is not in the library")
        at = first + int(np.searchsorted(line.t[first:last], t, "right")) - 1
        return int(line.frame[max(first, at)])

    def segment(self, frame: int) -> str:
        """The segment of the frame with that ordinal."""
        return self._segments[int(self.frames["segment"][frame])]


def refresh(folder: Path, tables: "Tables") -> VectorIndex:
    """Bring the index in `folder` up to the tables and open it.

    Only segments that are new since the last time are read. Raises LibraryError when the folder
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            return _refresh(folder, tables)
    except OSError as error:
        raise LibraryError(f"{folder}: the index cannot be written: {error.strerror}") from error


def _refresh(folder: Path, tables: "Tables") -> VectorIndex:
    versions = tables.versions()
    old = _open(folder, tables.fingerprint)
    if old and old.versions == versions:
        return old
    videos = [video for video in tables.videos() if video.segments]
    published = {name for video in videos for name in video.segments}
    if old and _dead_share(old, published) > _DEAD_SHARE:
        old = None
    files = tables.frame_files()
    with _Appender(folder, old, int(tables.fingerprint["dimensions"])) as appender:
        known = set(old._files) if old else set()
        complete = []
        for file in files:
            if file not in known:
                segments = tables.read_segments(file)
                if wanted := (segments & published) - appender.known:
                    for batch in tables.read_frames(file, wanted):
                        appender.append(batch)
                if not segments <= published:
                    continue  # what is unpublished may be published later: look again
            complete.append(file)
        listed = [
            IndexedVideo(
                video.video_id,
                video.path,
                video.copies,
                video.duration,
                video.modified.timestamp() if video.modified else None,
                video.segments,
            )
            for video in sorted(videos, key=lambda video: video.path)
        ]
        appender.commit(tables.fingerprint, versions, complete, listed)
    return VectorIndex(folder)


def _open(folder: Path, fingerprint: dict[str, str]) -> VectorIndex | None:
    """The index of that fingerprint, or None: a damaged one is built anew like a missing one."""
    try:
        index = VectorIndex(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if index.fingerprint == fingerprint else None


def _dead_share(index: VectorIndex, published: set[str]) -> float:
    dead = np.array([name not in published for name in index._segments], bool)
    return float(dead[index.frames["segment"]].mean()) if len(index.frames) else 0.0


def _map(file: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    if shape[0] == 0:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.memmap(file, dtype, "r", shape=shape)


class _Appender:
    """Appends to the files of an index, then publishes them by replacing the manifest."""

    def __init__(self, folder: Path, old: VectorIndex | None, dimensions: int) -> None:
        self._folder = folder
        self._generation = old._generation if old else folder / uuid.uuid4().hex
        self._generation.mkdir(exist_ok=True)
        self._dimensions = dimensions
        self._segments = {name: at for at, name in enumerate(old._segments)} if old else {}
        self._vectors = len(old.vectors) if old else 0
        self._frames = len(old.frames) if old else 0
        names = "".join(f"{name}\n" for name in self._segments).encode()
        self._streams = {
            "vectors": self._stream("vectors", self._vectors * dimensions * 4),
            "boxes": self._stream("boxes", self._vectors * 16),
            "frames": self._stream("frames", self._frames * _FRAME.itemsize),
            "segments": self._stream("segments", len(names)),
        }
        self.known = set(self._segments)

    def _stream(self, name: str, size: int) -> BinaryIO:
        stream = (self._generation / name).open("ab")
        stream.truncate(size)  # what a crash left behind the part that counts
        return stream

    def append(self, batch: "pyarrow.RecordBatch") -> None:
        """Append a batch of `segment`, `t`, `boxes`, `embeddings`."""
        boxes, embeddings = batch.column("boxes"), batch.column("embeddings")
        views = np.diff(embeddings.offsets.to_numpy())
        vectors = embeddings.flatten().flatten().to_numpy().reshape(-1, self._dimensions)
        frames = np.empty(len(batch), _FRAME)
        frames["t"] = batch.column("t").to_numpy()
        frames["first"] = self._vectors + np.cumsum(views) - views
        frames["segment"] = [self._ordinal(name) for name in batch.column("segment").to_pylist()]
        self._streams["vectors"].write(vectors.astype("<f4", copy=False).tobytes())
        self._streams["boxes"].write(boxes.flatten().flatten().to_numpy().astype("<f4").tobytes())
        self._streams["frames"].write(frames.tobytes())
        self._vectors += len(vectors)
        self._frames += len(frames)

    def _ordinal(self, name: str) -> int:
        if name not in self._segments:
            self._segments[name] = len(self._segments)
            self._streams["segments"].write(f"{name}\n".encode())
        return self._segments[name]

    def commit(
        self,
        fingerprint: dict[str, str],
        versions: tuple[int, int],
        files: list[str],
        videos: list[IndexedVideo],
    ) -> None:
        """Make what was appended count."""
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
        listing = f"videos-{uuid.uuid4().hex}.json"
        (self._folder / listing).write_text(
            json.dumps([asdict(video) for video in videos]), "utf-8"
        )
        manifest = {
            "format": FORMAT,
            "fingerprint": fingerprint,
            "versions": versions,
            "generation": self._generation.name,
            "vectors": self._vectors,
            "frames": self._frames,
            "segments": len(self._segments),
            "files": files,
            "videos": listing,
        }
        fresh = self._folder / "manifest.json.new"
        fresh.write_text(json.dumps(manifest), "utf-8")
        fresh.replace(self._folder / "manifest.json")
        for entry in self._folder.iterdir():
            if entry.is_dir() and entry != self._generation:
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name.startswith("videos-") and entry.name != listing:
                entry.unlink(missing_ok=True)

    def __enter__(self) -> "_Appender":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams.values():
            stream.close()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One writer at a time; the others wait, as a refresh is short."""
    with (folder / "lock").open("ab") as stream:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
