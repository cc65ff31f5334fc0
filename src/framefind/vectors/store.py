"""The files of an index: brought up to the tables, append-only and safe from crashes."""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from framefind import disk
from framefind.errors import LibraryError
from framefind.vectors import lists
from framefind.vectors.index import EXACT, FORMAT, FRAME, IndexedVideo, VectorIndex, Videos
from framefind.vectors.scan import encode
from framefind.vectors.timeline import Timeline

if TYPE_CHECKING:
    import pyarrow

    from framefind.tables import Tables, Video

_DEAD_SHARE = 0.3  # of the frames; beyond it the index is built anew


def refresh(folder: Path, tables: "Tables") -> VectorIndex:
    """Bring the index in `folder` up to the tables and open it.

    Only segments that are new since the last time are read. Raises LibraryError when the folder
    cannot be written.
    """
    for tries_left in (2, 1, 0):
        try:
            folder.mkdir(exist_ok=True)  # not its parents: `reembed` may be replacing the library
            with _lock(folder):
                return _refresh(folder, tables)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and tries_left:
                continue  # somebody has deleted the index meanwhile
            reason = f"the index cannot be written: {error.strerror}"
            raise LibraryError(f"{folder}: {reason}") from error
    raise AssertionError


def _refresh(folder: Path, tables: "Tables") -> VectorIndex:
    versions = tables.versions()
    old = _open(folder, tables.fingerprint)
    if old and old.versions == versions:
        return old
    videos = [video for video in tables.videos() if video.segments]
    published = {name for video in videos for name in video.segments}
    if old and _dead_share(old, published) > _DEAD_SHARE:
        old = None
    with Appender(folder, old, int(tables.fingerprint["dimensions"])) as appender:
        complete = appender.update(tables, published, set(old.files) if old else set())
        rows = [listed(video) for video in sorted(videos, key=lambda video: video.path)]
        appender.commit(tables.fingerprint, versions, complete, rows)
    index = VectorIndex(folder)
    if len(index.vectors) > EXACT:
        lists.start(index)
    return index


def _open(folder: Path, fingerprint: dict[str, str]) -> VectorIndex | None:
    """The index of that fingerprint, or None: a damaged one is built anew like a missing one."""
    try:
        index = VectorIndex(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if index.fingerprint == fingerprint else None


def _dead_share(index: VectorIndex, published: set[str]) -> float:
    dead = np.array([name not in published for name in index.segments], bool)
    return float(dead[index.frames["segment"]].mean()) if len(index.frames) else 0.0


def listed(video: "Video") -> IndexedVideo:
    """What an index keeps of a video."""
    modified = video.modified.timestamp() if video.modified else None
    return IndexedVideo(
        video.video_id, video.path, video.copies, video.duration, modified, video.segments
    )


class Appender:
    """Appends to the files of an index, then publishes them by replacing the manifest."""

    def __init__(self, folder: Path, old: VectorIndex | None, dimensions: int) -> None:
        self._folder = folder
        self._generation = old.generation if old else folder / uuid.uuid4().hex
        self._generation.mkdir(exist_ok=True)
        self._dimensions = dimensions
        self._segments = {name: at for at, name in enumerate(old.segments)} if old else {}
        self._vectors = len(old.vectors) if old else 0
        self._frames = len(old.frames) if old else 0
        self._names = sum(len(name) + 1 for name in self._segments)
        self._streams = {
            "vectors": self._stream("vectors", self._vectors * dimensions * 2),
            "codes": self._stream("codes", self._vectors * dimensions),
            "scales": self._stream("scales", self._vectors * 4),
            "boxes": self._stream("boxes", self._vectors * 16),
            "frames": self._stream("frames", self._frames * FRAME.itemsize),
            "segments": self._stream("segments", self._names),
        }

    def _stream(self, name: str, size: int) -> BinaryIO:
        stream = (self._generation / name).open("ab")
        stream.truncate(size)  # what a crash left behind the part that counts
        return stream

    def update(self, tables: "Tables", published: set[str], known: set[str]) -> list[str]:
        """Append the published segments that are new, from files that are not `known`.

        Returns the files of which nothing is left to read.
        """
        complete = []
        for file in tables.frame_files():
            if file not in known:
                segments = tables.read_segments(file)
                if wanted := (segments & published) - self._segments.keys():
                    for batch in tables.read_frames(file, wanted):
                        self.append(batch)
                if not segments <= published:
                    continue  # what is unpublished may be published later: look again
            complete.append(file)
        return complete

    def append(self, batch: "pyarrow.RecordBatch") -> None:
        """Append a batch of `segment`, `t`, `boxes`, `embeddings`."""
        boxes, embeddings = batch.column("boxes"), batch.column("embeddings")
        views = np.diff(embeddings.offsets.to_numpy())
        vectors = embeddings.flatten().flatten().to_numpy().reshape(-1, self._dimensions)
        vectors = vectors.astype("<f2")  # as the tables have rounded them
        codes, scales, lengths, errors = encode(vectors.astype(np.float32))
        first = np.cumsum(views) - views
        frames = np.empty(len(batch), FRAME)
        frames["t"] = batch.column("t").to_numpy()
        frames["first"] = self._vectors + first
        frames["segment"] = [self._ordinal(name) for name in batch.column("segment").to_pylist()]
        frames["views"] = views
        frames["length"] = np.maximum.reduceat(lengths, first)
        frames["error"] = np.maximum.reduceat(errors, first)
        self._streams["vectors"].write(vectors.tobytes())
        self._streams["codes"].write(codes.tobytes())
        self._streams["scales"].write(scales.astype("<f4", copy=False).tobytes())
        self._streams["boxes"].write(boxes.flatten().flatten().to_numpy().astype("<f4").tobytes())
        self._streams["frames"].write(frames.tobytes())
        self._vectors += len(vectors)
        self._frames += len(frames)

    def _ordinal(self, name: str) -> int:
        if name not in self._segments:
            self._segments[name] = len(self._segments)
            self._names += self._streams["segments"].write(f"{name}\n".encode("ascii"))
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
        listing = self._folder / uuid.uuid4().hex
        listing.mkdir()
        Videos.save(listing, videos)
        self._save_timeline(listing, videos)
        manifest = {
            "format": FORMAT,
            "fingerprint": fingerprint,
            "versions": versions,
            "generation": self._generation.name,
            "listing": listing.name,
            "vectors": self._vectors,
            "frames": self._frames,
            "names": self._names,
            "files": files,
        }
        fresh = self._folder / "manifest.json.new"
        fresh.write_text(json.dumps(manifest), "utf-8")
        fresh.replace(self._folder / "manifest.json")
        for entry in self._folder.iterdir():
            if entry.is_dir() and entry not in (self._generation, listing):
                shutil.rmtree(entry, ignore_errors=True)

    def _save_timeline(self, listing: Path, videos: list[IndexedVideo]) -> None:
        owner = {name: at for at, video in enumerate(videos) for name in video.segments}
        owners = np.array([owner.get(name, -1) for name in self._segments], np.int64)
        frames = np.fromfile(self._generation / "frames", FRAME, self._frames)
        video = owners[frames["segment"]] if len(owners) else np.empty(0, np.int64)
        Timeline.build(video, frames["t"], [video.duration for video in videos]).save(listing)
        np.save(listing / "owners.npy", owners)

    def __enter__(self) -> "Appender":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams.values():
            stream.close()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder as its only writer; the others wait, as a refresh is short."""
    with (folder / "lock").open("ab") as stream:
        with contextlib.suppress(disk.NoLocksError):  # the library's own lock has said so
            disk.lock(stream.fileno(), wait=True)
        yield
