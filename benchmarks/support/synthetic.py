"""Made-up indexes of any size, distributed like the vectors of a real library.

Fitted on the real one: the mean vector; how the means of videos spread about it, and the vectors of
a video about theirs, each with all its principal axes; how alike a view and the same view one frame
later are (AR(1)); and how much of the spread the views of a frame have in common. More dimensions
than the model has come from a random rotation into more of them, which keeps every product. The
lengths of videos are assumed: log-normal, 10 minutes by median, two hours at most, a frame a
second, four views.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from framefind.index.build import Appender
from framefind.index.vectors import VectorIndex
from framefind.index.videos import IndexedVideo

Vectors = NDArray[np.float32]
VIEWS = 4


@dataclass(frozen=True)
class Fit:
    """What real frame vectors look like; spreads are axes times standard deviations, (k, d)."""

    mean: Vectors
    between: Vectors
    within: Vectors
    memory: float
    """Correlation of a view with the same view one frame later, about the video's mean."""
    common: float
    """Share of the spread within a video that the views of a frame have in common."""

    @classmethod
    def of(cls, index: VectorIndex) -> "Fit":
        """Fit the vectors of a real library."""
        line = index.timeline
        vectors = index.vectors.astype(np.float32)
        mean = vectors.mean(axis=0)
        views = [vectors[index.rows(int(frame))] for frame in line.frame]
        means = []
        pairs = []
        shared = []
        about = []
        for video in np.unique(line.video):
            frames = [views[at] for at in np.flatnonzero(line.video == video)]
            means.append(np.concatenate(frames).mean(axis=0))
            frames = [frame - means[-1] for frame in frames]
            about += frames
            pairs += [(a, b) for a, b in pairwise(frames) if len(a) == len(b)]
        for frame in about:
            every = frame @ frame.T
            shared += every[~np.eye(len(frame), dtype=bool)].tolist()
        spread = float(np.mean([np.square(frame).sum(axis=1).mean() for frame in about]))
        memory = float(np.mean([(a * b).sum() for a, b in pairs]))
        memory /= float(np.mean([(a * a).sum() + (b * b).sum() for a, b in pairs])) / 2
        return cls(
            mean,
            _axes(np.stack(means) - mean),
            _axes(np.concatenate(about)),
            memory,
            max(0.0, float(np.mean(shared)) / spread),
        )

    def rotated(self, rotation: Vectors) -> "Fit":
        """Return the same in the dimensions of `rotation`, (d, more)."""
        turned = [part @ rotation for part in (self.mean, self.between, self.within)]
        return Fit(*turned, self.memory, self.common)

    def video(self, rng: np.random.Generator, frames: int) -> Vectors:
        """Draw a video's unit vectors (frames × VIEWS, d)."""
        centre = self.mean + rng.standard_normal(len(self.between), np.float32) @ self.between
        noise = rng.standard_normal((frames, 1 + VIEWS, len(self.within)), np.float32)
        for at in range(1, frames):
            noise[at] *= np.float32(np.sqrt(1 - self.memory**2))
            noise[at] += np.float32(self.memory) * noise[at - 1]
        mixed = noise[:, 1:] * np.float32(np.sqrt(1 - self.common))
        mixed += noise[:, :1] * np.float32(np.sqrt(self.common))
        vectors = mixed.reshape(frames * VIEWS, -1) @ self.within + centre
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def rotation(rng: np.random.Generator, d: int, more: int) -> Vectors:
    """Return a random rotation of d dimensions into `more`."""
    return np.asarray(np.linalg.qr(rng.standard_normal((more, d)))[0].T, np.float32)


def fill(
    appender: Appender, fit: Fit, vectors: int, rng: np.random.Generator
) -> Iterator[tuple[str, int]]:
    """Append made-up videos of about so many vectors; yield each one's id and number of frames."""
    for at, frames in enumerate(video_lengths(rng, vectors // VIEWS)):
        name = f"{at:032x}"
        appender.append(_batch(name, fit.video(rng, frames)))
        yield name, frames


def write(folder: Path, fit: Fit, vectors: int, rng: np.random.Generator) -> VectorIndex:
    """Write an index of about so many vectors."""
    videos = []
    with Appender(folder, None, len(fit.mean)) as appender:
        for at, (name, frames) in enumerate(fill(appender, fit, vectors, rng)):
            path = f"/videos/{rng.integers(1000):03}/{name}.mp4"
            videos.append(IndexedVideo(name, path, [], float(frames), 1.7e9 + at, [name]))
        videos.sort(key=lambda video: video.path)
        fingerprint = {"model": "synthetic", "dimensions": str(len(fit.mean))}
        appender.commit(fingerprint, ("1", "1"), videos)
    return VectorIndex(folder)


def video_lengths(rng: np.random.Generator, frames: int) -> Iterator[int]:
    """Yield the lengths of videos, in frames, that sum to `frames`."""
    while frames > 0:
        length = min(frames, int(np.clip(rng.lognormal(np.log(600)), 10, 7200)))
        yield length
        frames -= length


def _batch(segment: str, vectors: Vectors) -> pa.RecordBatch:
    frames = len(vectors) // VIEWS
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (len(vectors), 1))
    columns = [
        pa.array([segment] * frames),
        pa.array(np.arange(frames, dtype=np.float64)),
        *(list_array(rows) for rows in (boxes, vectors)),
    ]
    return pa.RecordBatch.from_arrays(columns, ["segment", "t", "boxes", "embeddings"])


def list_array(rows: Vectors) -> pa.ListArray:
    """Return rows (frames × VIEWS, n) as a list per frame of a list per view."""
    inner = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    outer = np.arange(0, len(rows) + 1, VIEWS, dtype=np.int32)
    return pa.ListArray.from_arrays(outer, pa.ListArray.from_arrays(inner, rows.ravel()))


def _axes(rows: Vectors) -> Vectors:
    _, lengths, directions = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(lengths[:, None] * directions / np.sqrt(len(rows)), np.float32)
