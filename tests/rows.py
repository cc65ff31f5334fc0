"""Made-up frames and videos for the tests of the tables."""

from collections.abc import Collection
from datetime import UTC, datetime

import numpy as np

from framefind.tables.data_files import DataFile
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Box, Video
from framefind.video.views import WHOLE

HALF: Box = (0.0, 0.0, 0.5625, 1.0)
FINGERPRINT = {"model": "mini-1", "weights": "abc", "dimensions": "8"}


def frame(video_id: str, segment: str, t: float, views: int = 2, size: int = 50) -> FrameRow:
    rng = np.random.default_rng([int(t * 1000), *map(ord, video_id + segment[-4:])])
    vectors = rng.standard_normal((views, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return FrameRow(video_id, segment, t, rng.bytes(size), [WHOLE, HALF][:views], vectors)


def write(tables: Tables, video_id: str, frames: int = 10) -> tuple[list[DataFile], Video]:
    """A video's data file and row, not published."""
    segment = new_segment()
    with tables.writer() as writer:
        for i in range(frames):
            writer.add(frame(video_id, segment, i / 2))
        files = writer.close()
    return files, video(video_id, segment, frames)


def video(video_id: str, segment: str, frames: int) -> Video:
    return Video(
        video_id=video_id,
        path=f"/videos/{video_id}.mp4",
        size=1234,
        modified=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        sampler="every=0.5",
        views="tiles",
        frames=frames,
        segments=[segment],
        status="indexed",
    )


def publish(tables: Tables, video_id: str, frames: int = 10) -> Video:
    files, row = write(tables, video_id, frames)
    tables.publish(files, [row])
    return row


def visible(tables: Tables, among: Collection[str] | None = None) -> dict[str, list[float]]:
    """The times of each video's frames that count, sorted."""
    owners = {name: row.video_id for row in tables.videos() for name in row.segments}
    times: dict[str, list[float]] = {row.video_id: [] for row in tables.videos()}
    for file in tables.frame_files():
        for batch in tables.read_frames(file, set(owners)):
            for row in batch.select(["video_id", "segment", "t"]).to_pylist():
                assert owners[row["segment"]] == row["video_id"]
                times[row["video_id"]].append(row["t"])
    return {name: sorted(found) for name, found in times.items() if among is None or name in among}


def count(tables: Tables) -> int:
    """The rows of `frames`, published or not, by the log's statistics."""
    return tables.delta("frames").count()


def whole(frames: int = 10) -> list[float]:
    return [i / 2 for i in range(frames)]
