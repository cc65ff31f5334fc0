"""The files of an index: brought up to the tables, append-only and safe from crashes."""

import contextlib
import errno
import json
import logging
import os
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from framefind.errors import DataFileError, LibraryError
from framefind.files import disk
from framefind.index import ivf
from framefind.index.checksums import SUMS, DamagedIndexError, crc, save_manifest, seal, sum_rows
from framefind.index.products import encode
from framefind.index.text import SavedText
from framefind.index.text_build import save_text
from framefind.index.timeline import Timeline
from framefind.index.vectors import FORMAT, FRAME, VectorIndex
from framefind.index.videos import IndexedVideo, Videos
from framefind.tables.address import add_advice

if TYPE_CHECKING:
    import pyarrow

    from framefind.tables.delta_log import Revision
    from framefind.tables.tables import Tables
    from framefind.types import Video

_log = logging.getLogger(__name__)

_OWN_FILE = re.compile(r"[0-9a-f]{32}\.parquet")  # how only framefind names data files
_CHECKSUMMED = ("frames", "segments", "sums")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
_MAX_DEAD_SHARE = 0.3  # of the frames; beyond it the index is built again


class IndexPlaceError(LibraryError):
    """The folder of an index cannot be written: it is full or read-only."""


def refresh(folder: Path, tables: "Tables", damaged: VectorIndex | None = None) -> VectorIndex:
    """Bring the index in `folder` up to the tables and open it.

    Only segments that are new since the last time are read. If the index is the `damaged` one, it
    is built again. Raises IndexPlaceError when there is no room in the folder, or no right to write
    there.
    """
    for tries_left in (2, 1, 0):
        try:
            folder.mkdir(exist_ok=True)  # not its parents: `reembed` may be replacing the library
            with _lock(folder):
                return _refresh(folder, tables, damaged)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and tries_left:
                continue  # somebody has deleted the index meanwhile
            text = add_advice(f"{folder}: the index cannot be written: {error.strerror}")
            refused = error.errno in _FULL | _READ_ONLY
            raise (IndexPlaceError if refused else LibraryError)(text) from error
    raise AssertionError


def _refresh(folder: Path, tables: "Tables", damaged: VectorIndex | None) -> VectorIndex:
    revision = tables.revision()
    old = _open(folder, tables, damaged)
    is_whole = old and not old.lost_words and not _is_readable_again(old, tables)
    if old and old.revision == revision and is_whole:
        return old
    videos = [video for video in tables.videos() if video.segments]
    published = {name for video in videos for name in video.segments}
    if old and _dead_share(old, published) > _MAX_DEAD_SHARE:
        old = None
    text, lost_words = _update_text(folder, old, tables, videos)
    with Appender(folder, old, int(tables.fingerprint["dimensions"])) as appender:
        appender.update(tables, published)
        rows = [to_indexed_video(video) for video in sorted(videos, key=lambda video: video.path)]
        appender.commit(tables.fingerprint, revision, rows, tables.identity, text, lost_words)
    index = VectorIndex(folder)
    if len(index.vectors) > ivf.MAX_SCANNED_VECTORS:
        ivf.start(index)
    return index


def _update_text(
    folder: Path, old: VectorIndex | None, tables: "Tables", videos: Sequence["Video"]
) -> tuple[SavedText | None, list[str]]:
    """Return the text index of the videos' cues, written again if they have changed.

    Returns as well the ids of the videos that have lost words.
    """
    published = {name for video in videos for name in video.cue_segments}
    text = None
    with contextlib.suppress(DamagedIndexError):
        text = old.text if old else None
    if not published or (old and text and {*text.segments} - {""} == published):
        return old.saved_text if old and published else None, []
    try:
        saved, lost = save_text(folder, text, published, tables.read_cues)
    except LibraryError as error:
        _log.warning("%s: some words cannot be searched: %s", tables.uri, error)
        return old.saved_text if old and text else None, []
    return saved, [row.video_id for row in videos if not lost.isdisjoint(row.cue_segments)]


def _open(folder: Path, tables: "Tables", damaged: VectorIndex | None) -> VectorIndex | None:
    """Return the index of these tables; None when it is missing, damaged or of others."""
    try:
        index = VectorIndex(folder)
        if damaged and damaged.generation == index.generation:
            raise DamagedIndexError(damaged.damaged)
    except FileNotFoundError as error:
        if error.filename and Path(error.filename).parent != folder:
            _log.warning("%s is missing: the index is built again", error.filename)
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, DamagedIndexError) as error:
        _log.warning("%s: the index is built again", error)
        return None
    same = (index.fingerprint, index.identity) == (tables.fingerprint, tables.identity)
    return index if same else None


def _is_readable_again(index: VectorIndex, tables: "Tables") -> bool:
    """Return whether a data file can be read now that was unreadable when the index was made."""
    for file in index.unread:
        with contextlib.suppress(LibraryError):
            tables.read_segments(file)
            return True
    return False


def _dead_share(index: VectorIndex, published: set[str]) -> float:
    live = {name: at for at, name in enumerate(index.segments) if name in index.sources.rows}
    dead = np.ones(len(index.segments), bool)
    dead[[at for name, at in live.items() if name in published]] = False
    return float(dead[index.frames["segment"]].mean()) if len(index.frames) else 0.0


def to_indexed_video(video: "Video") -> IndexedVideo:
    """Return what an index keeps of a video."""
    modified = video.modified.timestamp() if video.modified else None
    return IndexedVideo(
        video.video_id,
        video.path,
        video.copies,
        video.duration,
        modified,
        video.segments,
        video.cuts,
    )


class Appender:
    """Appends to the files of an index, then publishes them by replacing the manifest."""

    def __init__(self, folder: Path, old: VectorIndex | None, dimensions: int) -> None:
        self._folder = folder
        self._is_new = old is None
        self._generation = old.generation if old else folder / uuid.uuid4().hex
        self._generation.mkdir(exist_ok=True)
        self._dimensions = dimensions
        self._files = dict(old.sources.files) if old else {}
        self._rows = Counter(old.sources.rows if old else {})  # of each segment
        self._count = len(old.segments) if old else 0  # of segments, retired ones too
        self._segments = {name: at for at, name in enumerate(old.segments)} if old else {}
        for name in self._segments.keys() - self._rows.keys():
            del self._segments[name]
        self._vectors = len(old.vectors) if old else 0
        self._frames = len(old.frames) if old else 0
        self._names = sum(len(name) + 1 for name in old.segments) if old else 0
        self._checksums = dict(old.checksums) if old else {}
        self._unread: dict[str, str] = {}
        self._is_all_readable = True  # False while a file cannot be reached
        self._streams = {
            "vectors": self._stream("vectors", self._vectors * dimensions * 2),
            "codes": self._stream("codes", self._vectors * dimensions),
            "scales": self._stream("scales", self._vectors * 4),
            "boxes": self._stream("boxes", self._vectors * 16),
            "sums": self._stream("sums", self._vectors * SUMS.itemsize),
            "frames": self._stream("frames", self._frames * FRAME.itemsize),
            "segments": self._stream("segments", self._names),
        }

    def _stream(self, name: str, size: int) -> BinaryIO:
        stream = (self._generation / name).open("ab")
        stream.truncate(size)  # what a crash left behind the part that counts
        return stream

    def update(self, tables: "Tables", published: set[str]) -> None:
        """Append the published segments that are new, and retire those that have changed.

        Data files that other engines have written count as changed, as do segments that have lost
        or gained rows. A file that cannot be read is skipped.
        """
        read_files = self._files
        written = {}
        for file in tables.frame_files():
            try:
                written[file] = (
                    read_files[file] if file in read_files else tables.read_segments(file)
                )
            except LibraryError as error:
                self._skip_file(file, error)
        rows = Counter[str]()
        for counts in written.values():
            rows.update(counts)
        foreign = [
            file for file in written if file not in read_files and not _OWN_FILE.fullmatch(file)
        ]
        changed = {name for file in foreign for name in written[file]}
        changed |= {name for name, count in self._rows.items() if rows[name] != count}
        self._retire(changed)
        missing = published - self._segments.keys()
        for file, counts in written.items():
            if segments := missing & counts.keys():
                self._append_file(tables, file, segments)
        self._files = {file: written[file] for file in written if file not in self._unread}
        if published <= self._segments.keys():
            self._unread = {}  # nothing is missed

    def _append_file(self, tables: "Tables", file: str, segments: set[str]) -> None:
        try:
            for batch in tables.read_frames(file, segments):
                self.append(batch)
        except LibraryError as error:
            self._skip_file(file, error)
            self._retire(segments)  # some of their rows may have been read

    def _skip_file(self, file: str, error: LibraryError) -> None:
        """Note that a data file could not be read."""
        self._unread[file] = str(error)
        self._is_all_readable &= isinstance(error, DataFileError)

    def _retire(self, segments: Iterable[str]) -> None:
        """Forget segments, so that they are appended again if the table has them."""
        for name in segments:
            self._segments.pop(name, None)
            self._rows.pop(name, None)

    def append(self, batch: "pyarrow.RecordBatch") -> None:
        """Append a batch of `segment`, `t`, `boxes`, `embeddings`.

        Raises LibraryError when these are not what a library holds.
        """
        self._check(batch)
        boxes = batch.column("boxes")
        embeddings = batch.column("embeddings")
        views = np.diff(embeddings.offsets.to_numpy())
        vectors = embeddings.flatten().flatten().to_numpy().reshape(-1, self._dimensions)
        vectors = vectors.astype("<f2")  # as the tables have rounded them
        codes, scales, lengths, errors = encode(vectors.astype(np.float32))
        first = np.cumsum(views) - views
        frames = np.empty(len(batch), FRAME)
        frames["t"] = batch.column("t").to_numpy()
        frames["first"] = self._vectors + first
        names = batch.column("segment").to_pylist()
        frames["segment"] = [self._ordinal(name) for name in names]
        frames["views"] = views
        frames["length"] = np.maximum.reduceat(lengths, first)
        frames["error"] = np.maximum.reduceat(errors, first)
        parts = boxes.flatten().flatten().to_numpy().astype("<f4").reshape(-1, 4)
        scales = scales.astype("<f4", copy=False)
        sums = np.empty(len(vectors), SUMS)
        sums["codes"] = sum_rows(codes, scales)
        sums["vectors"] = sum_rows(vectors, parts)
        self._streams["vectors"].write(vectors.tobytes())
        self._streams["codes"].write(codes.tobytes())
        self._streams["scales"].write(scales.tobytes())
        self._streams["boxes"].write(parts.tobytes())
        self._write_checked("sums", sums.view(np.uint8))
        self._write_checked("frames", frames.view(np.uint8))
        self._rows.update(names)
        self._vectors += len(vectors)
        self._frames += len(frames)

    def _check(self, batch: "pyarrow.RecordBatch") -> None:
        """Raise LibraryError for rows of other writers that cannot be searched."""
        boxes = batch.column("boxes")
        embeddings = batch.column("embeddings")
        inner = embeddings.flatten()
        corners = boxes.flatten()
        views = np.diff(embeddings.offsets.to_numpy())
        is_valid = (
            batch.column("t").null_count == 0
            and views.min(initial=1) > 0
            and np.array_equal(views, np.diff(boxes.offsets.to_numpy()))
            and (np.diff(inner.offsets.to_numpy()) == self._dimensions).all()
            and (np.diff(corners.offsets.to_numpy()) == 4).all()
            and np.isfinite(inner.flatten().to_numpy(zero_copy_only=False)).all()
        )
        if not is_valid:
            raise DataFileError(
                f"there are frames without {self._dimensions} numbers for each view, which another "
                "program must have written"
            )

    def _ordinal(self, name: str) -> int:
        if name not in self._segments:
            self._segments[name] = self._count
            self._count += 1
            line = f"{name}\n".encode("ascii")
            self._write_checked("segments", np.frombuffer(line, np.uint8))
            self._names += len(line)
        return self._segments[name]

    def _write_checked(self, name: str, content: NDArray[np.uint8]) -> None:
        """Append to a file whose checksum is that of all of it."""
        self._streams[name].write(content.tobytes())
        self._checksums[name] = crc(content, self._checksums.get(name, 0))

    def commit(
        self,
        fingerprint: dict[str, str],
        revision: "Revision",
        videos: list[IndexedVideo],
        identity: str = "",
        text: SavedText | None = None,
        lost_words: Sequence[str] = (),
    ) -> None:
        """Publish what was appended."""
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
        disk.sync(self._generation)
        listing = self._folder / uuid.uuid4().hex
        listing.mkdir()
        Videos.save(listing, videos)
        self._save_timeline(listing, videos)
        sources = {"files": self._files, "rows": self._rows}
        (listing / "sources.json").write_text(json.dumps(sources) + "\n", "utf-8")
        manifest = {
            "format": FORMAT,
            "fingerprint": fingerprint,
            "identity": identity,
            "revision": revision,
            "generation": self._generation.name,
            "listing": listing.name,
            "text": text and {"folder": text.folder.name, "sealed": text.sealed},
            "vectors": self._vectors,
            "frames": self._frames,
            "names": self._names,
            "checksums": {name: self._checksums.get(name, 0) for name in _CHECKSUMMED},
            "sealed": seal(listing),
            "lost": self._lost(videos),
            "lost_words": lost_words,
            "unread": self._unread,
        }
        disk.sync(self._folder)
        save_manifest(self._folder, manifest)
        for entry in self._folder.iterdir():
            if entry.is_dir() and entry not in (self._generation, listing, text and text.folder):
                shutil.rmtree(entry, ignore_errors=True)

    def _lost(self, videos: Sequence[IndexedVideo]) -> list[str]:
        """Return the ids of videos that have lost frames; none while a file is unreachable."""
        if not self._is_all_readable:
            return []
        return [
            video.video_id for video in videos if not self._segments.keys() >= {*video.segments}
        ]

    def _save_timeline(self, listing: Path, videos: list[IndexedVideo]) -> None:
        owner = {name: at for at, video in enumerate(videos) for name in video.segments}
        owners = np.full(self._count, -1, np.int64)
        for name, at in self._segments.items():
            owners[at] = owner.get(name, -1)
        frames = np.fromfile(self._generation / "frames", FRAME, self._frames)
        video = owners[frames["segment"]] if len(owners) else np.empty(0, np.int64)
        durations = [video.duration for video in videos]
        cuts = [video.cuts for video in videos]
        Timeline.build(video, frames["t"], durations, cuts).save(listing)
        np.save(listing / "owners.npy", owners)

    def __enter__(self) -> "Appender":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for stream in self._streams.values():
            with contextlib.suppress(OSError):  # `commit` has written all that counts
                stream.close()
        if kind and self._is_new:
            shutil.rmtree(self._generation, ignore_errors=True)  # the disk may be full


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder as its only writer; the others wait, as a refresh is short."""
    with (folder / "lock").open("ab") as stream:
        with contextlib.suppress(disk.NoLocksError):  # the library's own lock has said so
            disk.lock(stream.fileno(), wait=True)
        yield
