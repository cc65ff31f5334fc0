"""Inverted lists: about where in millions of vectors the best ones are, without reading them all.

Faiss sorts short projections of the vectors, 8 bits a dimension, into lists of neighbours. A query
looks into a few lists, and what it finds there only names the videos to search exactly. A process
of its own builds the lists from the mapped vectors, adds later ones, and replaces them whole, so
that a crash leaves the old ones; the rows that are not in them yet are searched exactly anyway.
Faiss is an extra, and is imported only for an index that is large enough.
"""

import contextlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framefind.files import disk
from framefind.files.arrays import load_array
from framefind.index.vectors import VectorIndex
from framefind.processes import python_command

MAX_SCANNED_VECTORS = 1 << 20
"""Vectors up to which all are scanned, and no inverted lists are built."""

MIN_NEW_FRAMES = 1 << 15
"""Frames beside the lists from which on these are brought up to date."""

_log = logging.getLogger(__name__)

_DIMENSIONS = 128  # of the projections
_TRAINING_ROWS = 48  # rows per list that the lists are trained on
_MAX_GROWTH = 4.0  # times as many frames as at the last training: then train again,
_MAX_DRIFT = 1.5  # or at this many times the unevenness
_PROBES = 48  # lists that a query looks into
_ADDED_FRAMES = 1 << 13  # frames that are added at a time


@dataclass(frozen=True)
class State:
    """The lists hold the first `frames`; they were trained on `trained` and were so uneven then."""

    frames: int
    trained: int
    unevenness: float


class Lists:
    """The lists of one index, opened."""

    def __init__(self, generation: Path) -> None:
        """Open the newest lists of a generation. Raises OSError and others without any."""
        name = (generation / "lists").read_text("ascii")
        self.folder = generation / name
        self.state = State(**json.loads((self.folder / "state.json").read_text("ascii")))
        self.projection: NDArray[np.float32] = load_array(self.folder / "projection.npy")
        self._pointer = generation / "lists"
        self._faiss = _read(self.folder, mapped=True)

    def nearest(
        self, query: NDArray[np.float32], count: int, keep: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the frames of the `count` views nearest to the query, and approximate products.

        With `keep`, a mask over all frames of the index, only among those.
        """
        import faiss

        choice: dict[str, Any] = {"nprobe": _PROBES}
        if keep is not None:
            select: Any = faiss.IDSelectorBitmap  # its stub knows pointers only
            choice["sel"] = select(np.packbits(keep, bitorder="little"))
        short = np.ascontiguousarray(query @ self.projection)[np.newaxis]
        choice = {"params": faiss.SearchParametersIVF(**choice)}
        products, frames = self._faiss.search(short, count, **choice)
        valid = (frames[0] >= 0) & (frames[0] < self.state.frames)  # or the file is damaged
        return np.asarray(frames[0][valid], np.int64), np.asarray(products[0][valid])

    def are_outdated(self, index: VectorIndex) -> bool:
        """Return whether many frames are not in them, but newer lists are there."""
        if len(index.frames) - self.state.frames > MIN_NEW_FRAMES:
            with contextlib.suppress(OSError):  # the index is being deleted
                return self._pointer.read_text("ascii") != self.folder.name
        return False


def is_installed() -> bool:
    """Return whether Faiss is installed, without importing it."""
    return importlib.util.find_spec("faiss") is not None


def open_lists(index: VectorIndex) -> Lists | None:
    """Return the lists of an index; None while there are none."""
    if sys.platform == "darwin" and "torch" in sys.modules:
        return None  # both bring an OpenMP of their own, and the process would crash
    with contextlib.suppress(OSError, ValueError, TypeError, RuntimeError, ImportError):
        return Lists(index.generation)
    return None


def _read(folder: Path, mapped: bool) -> Any:
    import faiss

    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0
    return faiss.read_index(str(folder / "lists.faiss"), flags)


def start(index: VectorIndex) -> None:
    """Start a process that brings the lists of an index up to date, if they are far behind.

    It outlives this one, and ends at once when there is another.
    """
    if not is_installed():
        warn_once(str(index.generation.parent))
        return
    lists = open_lists(index)
    if lists and len(index.frames) - lists.state.frames <= MIN_NEW_FRAMES:
        return
    subprocess.Popen(
        [*python_command("framefind.index.ivf"), str(index.generation.parent)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@cache
def warn_once(folder: str) -> None:
    """Log, once for each index, that it is scanned whole for want of Faiss."""
    _log.warning(
        "%s: more than a million vectors, which are all scanned for each query; "
        "pip install 'framefind[large]' for inverted lists",
        folder,
    )


def build(index: VectorIndex) -> None:
    """Bring the lists of an index up to date, and replace the old ones.

    They are extended, or trained again when they have grown or become uneven too much.
    """
    import faiss

    old = open_lists(index)
    lists = _extend(old, index) if old else None
    if old and lists is not None:
        projection = old.projection
        state = replace(old.state, frames=len(index.frames))
    else:
        lists, projection = _train(index.vectors)
        _add(lists, projection, index, 0)
        state = State(len(index.frames), len(index.frames), lists.invlists.imbalance_factor())
    folder = index.generation / uuid.uuid4().hex
    folder.mkdir()
    faiss.write_index(lists, str(folder / "lists.faiss"))
    np.save(folder / "projection.npy", projection)
    (folder / "state.json").write_text(json.dumps(asdict(state)), "ascii")
    for file in folder.iterdir():
        disk.sync(file)
    disk.sync(folder)
    disk.replace(index.generation / "lists", folder.name.encode("ascii"))
    for entry in index.generation.iterdir():
        if entry.is_dir() and entry != folder:
            shutil.rmtree(entry, ignore_errors=True)


def _extend(old: Lists, index: VectorIndex) -> Any:
    """Return the old lists with what is new; None when they should be trained again."""
    if len(index.frames) > _MAX_GROWTH * old.state.trained:
        return None
    lists = _read(old.folder, mapped=False)
    _add(lists, old.projection, index, old.state.frames)
    uneven = lists.invlists.imbalance_factor() > _MAX_DRIFT * old.state.unevenness
    return None if uneven else lists


def _train(vectors: NDArray[np.float16]) -> tuple[Any, NDArray[np.float32]]:
    """Return empty lists, about as many as the root of the vectors, and the projection for them.

    The axes are those of the vectors about the origin, not about their mean, so that products
    with any query stay what they were.
    """
    import faiss

    count = 1 << round(np.log2(len(vectors)) / 2)
    size = min(len(vectors), _TRAINING_ROWS * count)
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), size, replace=False))
    sample = vectors[rows].astype(np.float32)
    _, axes = np.linalg.eigh(sample.T @ sample)
    projection = np.ascontiguousarray(axes[:, ::-1][:, :_DIMENSIONS], np.float32)
    lists = faiss.index_factory(projection.shape[1], f"IVF{count},SQ8", faiss.METRIC_INNER_PRODUCT)
    lists.train(sample @ projection)
    return lists, projection


def _add(lists: Any, projection: NDArray[np.float32], index: VectorIndex, first: int) -> None:
    """Add the projections of all views from frame `first` on, under their frames' ordinals."""
    for start in range(first, len(index.frames), _ADDED_FRAMES):
        frames = np.arange(start, min(start + _ADDED_FRAMES, len(index.frames)))
        rows = slice(index.rows(start).start, index.rows(int(frames[-1])).stop)
        owners = np.repeat(frames, index.frames["views"][frames])
        lists.add_with_ids(index.vectors[rows].astype(np.float32) @ projection, owners)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Yield whether this is the only process that builds lists there."""
    with (folder / "lists.lock").open("ab") as stream:
        try:
            disk.lock(stream.fileno())
        except OSError:
            yield False
        else:
            yield True


def main(folder: Path) -> None:
    """Build the lists of the index in `folder` at low priority until they hold all frames."""
    if hasattr(os, "nice"):
        os.nice(10)
    with _alone(folder) as alone:
        while alone:
            index = VectorIndex(folder)
            lists = open_lists(index)
            if lists and len(index.frames) - lists.state.frames <= MIN_NEW_FRAMES:
                break
            build(index)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
