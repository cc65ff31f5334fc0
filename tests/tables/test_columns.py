"""The list of columns in `tables/schema.py`, and everything else that names columns."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from framefind.server import schemas
from framefind.server.api import videos as routes
from framefind.spark.sources import SEGMENT
from framefind.tables import schema
from framefind.tables.rows import FrameRow
from framefind.tables.schema import CUES, FRAMES, VIDEOS
from framefind.tables.tables import Tables
from framefind.types import Box, Cue, Video
from rows import publish, visible, whole

LIBRARIES = Path(__file__).with_name("libraries")

NOT_SERVED = {"copies", "sampler", "views", "segments", "indexed_until", "cue_segments", "read"}
NOT_SERVED |= {"cuts"}
"""Columns of `videos` that the HTTP API does not show."""

TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.binary(),
    datetime: VIDEOS.field("modified").type,
    list[str]: pa.list_(pa.string()),
    list[float]: pa.list_(pa.float64()),
    Sequence[Box]: FRAMES.field("boxes").type,
    NDArray[np.float32]: FRAMES.field("embeddings").type,
}


def column_type(hint: Any) -> pa.DataType:
    """The type of a column that holds what a type hint allows."""
    (plain,) = {*(get_args(hint) if NoneType in get_args(hint) else [hint])} - {NoneType}
    return pa.string() if get_origin(plain) is Literal else TYPES[plain]


@pytest.mark.parametrize(("row", "columns"), [(Video, VIDEOS), (FrameRow, FRAMES)])
def test_the_fields_of_a_row_are_the_columns_of_its_table(row: type, columns: pa.Schema) -> None:
    fields = [(name, column_type(hint)) for name, hint in get_type_hints(row).items()]
    assert fields == [(column.name, column.type) for column in columns]


def test_the_fields_of_a_cue_are_the_columns_of_its_table() -> None:
    hints = get_type_hints(Cue)
    assert pa.types.is_list(CUES.field("box").type)
    assert get_args(hints.pop("box")) == (Box, NoneType)
    assert {*hints, "box", "video_id", "segment"} == {*CUES.names}
    for name, hint in hints.items():
        assert CUES.field(name).type == column_type(hint)


def test_the_http_api_shows_columns_in_their_types() -> None:
    fields = get_type_hints(schemas.Video)
    del fields["name"]
    assert {*VIDEOS.names} == {*fields} | NOT_SERVED
    for name, hint in fields.items():
        assert column_type(hint) == VIDEOS.field(name).type
    assert {*routes.describe_video(Video(video_id="a", path="/a.mp4"))} == {"name", *fields}


def test_spark_gives_columns_in_their_types() -> None:
    types = {"string": pa.string(), "long": pa.int64(), "double": pa.float64(), "int": pa.int32()}
    types["timestamp"] = VIDEOS.field("modified").type
    found = {name: types[kind] for name, kind in map(str.split, SEGMENT.split(", "))}
    assert found.keys() - {*VIDEOS.names} == {"length", "number", "start", "end"}
    shared = found.keys() & {*VIDEOS.names}
    assert {name: found[name] for name in shared} == {
        name: VIDEOS.field(name).type for name in shared
    }


def test_the_docs_list_the_columns() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text("utf-8")
    assert [
        name for name in (*VIDEOS.names, *FRAMES.names, *CUES.names) if f"`{name}`" not in text
    ] == []


def test_a_library_of_every_schema_version_is_kept() -> None:
    kept = {folder.name for folder in LIBRARIES.iterdir()}
    assert kept == {f"schema-{version}" for version in range(1, schema.VERSION + 1)}


def test_a_library_of_schema_1_is_read_and_written(tmp_path: Path) -> None:
    """Its files were written by the first framefind of that schema, and never change."""
    tables = Tables.open(shutil.copytree(LIBRARIES / "schema-1", tmp_path / "library"))
    assert tables.fingerprint == {"model": "mini-12", "weights": "abc", "dimensions": "8"}
    a, b = sorted(tables.videos(), key=lambda video: video.video_id)
    assert a == Video(
        video_id="a",
        path="/videos/a.mp4",
        copies=["/copies/a.mp4"],
        size=1234,
        modified=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        duration=1.5,
        width=1280,
        height=720,
        fps=25.0,
        codec="h264",
        sampler="every=0.5",
        views="tiles",
        frames=3,
        segments=["0190a0000001aaaa"],
        indexed_until=1.0,
        status="partial",
        error="torn",
        indexed_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    )
    assert (b.video_id, b.status, b.segments, b.error) == ("b", "failed", [], "not a video")
    assert visible(tables) == {"a": whole(3), "b": []}
    (file,) = tables.frame_files()
    (rows,) = tables.read_frames(file, a.segments)
    vectors = np.array(rows["embeddings"].to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, np.eye(8, dtype=np.float32)[:6].reshape(3, 2, 8))
    boxes = np.array(rows["boxes"].to_pylist(), np.float32)
    np.testing.assert_array_equal(boxes, [[(0, 0, 1, 1), (0, 0, 0.5625, 1)]] * 3)
    keys = [("a", "0190a0000001aaaa", t) for t in whole(3)]
    assert tables.thumbnails(keys) == [b"first", b"second", b"third"]
    publish(tables, "c")
    assert visible(tables) == {"a": whole(3), "b": [], "c": whole()}
