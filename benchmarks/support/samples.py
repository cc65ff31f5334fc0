"""What several benchmarks read: pictures with texts, and the vectors of a library's frames."""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

import framefind
from framefind.tables.tables import Tables

Vectors = NDArray[np.float32]


@dataclass
class Sample:
    """A picture of the Parquet sample and its texts."""

    texts: list[str]
    picture: Image.Image


def samples(shards: Path, sources: Iterable[tuple[str, str]]) -> list[Sample]:
    """Return the pictures of those (source, split)."""
    chosen = set(sources)
    selected = []
    for file in sorted(shards.glob("*.parquet")):
        rows = [
            row
            for row in pq.read_table(file).to_pylist()
            if (row["source"], row["split"]) in chosen
        ]
        shown = pictures(row["image"] for row in rows)
        selected += [Sample(row["texts"], item) for row, item in zip(rows, shown, strict=True)]
    return selected


def pictures(encoded: Iterable[bytes]) -> Iterator[Image.Image]:
    return (Image.open(io.BytesIO(item)).convert("RGB") for item in encoded)


def pixels(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def frames(library: framefind.Library) -> dict[str, list[Vectors]]:
    """Return every frame's vectors (views, dimensions) by video id, in order of time."""
    tables = Tables.open(library.uri)
    segments = {name for video in tables.videos() for name in video.segments}
    rows = defaultdict(list)
    for file in tables.frame_files():
        for batch in tables.read_frames(file, segments):
            for row in batch.to_pylist():
                rows[row["video_id"]].append((row["t"], np.array(row["embeddings"], np.float32)))
    return {
        video: [vectors for _, vectors in sorted(frames, key=lambda item: item[0])]
        for video, frames in rows.items()
    }
