"""The steps as DataFrames: files, segments, frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framefind
from conftest import content, write_clip
from framefind import spark as steps
from framefind.spark.sources import from_spark_uri, to_spark_uri

pytest.importorskip("pyspark")

HUGE = 3 << 30  # bytes, more than an array of the JVM holds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films and what is none."""
    folder = tmp_path_factory.mktemp("films")
    write_clip(folder / "a b%20.mp4", range(30, 42))  # 24 s
    write_clip(folder / "deep" / "b.mp4", [1])
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / "notes.txt").write_text("a film, one day")
    return folder


def test_files_have_paths_and_any_size(spark, folder, tmp_path):
    with (tmp_path / "huge.mp4").open("wb") as file:
        file.truncate(HUGE)
    (row,) = steps.videos(spark, tmp_path, streaming=False).collect()
    assert (from_spark_uri(row.path), row.length) == (str(tmp_path / "huge.mp4"), HUGE)
    (part,) = steps.segments(steps.videos(spark, tmp_path, streaming=False)).collect()
    assert (part.path, part.length, part.video_id, part.number) == (
        str(tmp_path / "huge.mp4"), HUGE, part.video_id, None,
    )  # fmt: skip
    assert part.error
    library = framefind.open(tmp_path / "l")
    report = steps.index(spark, tmp_path, library)
    assert [*report.failed, *library.videos()] or report.passed_over == 1
    found = steps.videos(spark, folder, streaming=False, glob="*.mp4").collect()
    assert {Path(from_spark_uri(row.path)).name for row in found} == {
        "a b%20.mp4",
        "b.mp4",
        "broken.mp4",
    }


def test_segments_are_spread_evenly_and_lie_end_to_end(spark, tmp_path):
    write_clip(tmp_path / "long.mp4", [*range(10)] * 6)  # 120 s, a keyframe every 2
    df = steps.segments(steps.videos(spark, tmp_path, streaming=False), minutes=0.5, tasks=2)
    rows = df.selectExpr("*", "spark_partition_id() AS task").collect()
    rows.sort(key=lambda row: row.number)
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [row.start for row in rows] == [None, 30.0, 60.0, 90.0]
    assert [row.end for row in rows] == [30.0, 60.0, 90.0, None]
    assert sorted(row.task for row in rows) == [0, 0, 1, 1]
    assert {(row.width, row.height, row.codec, row.error) for row in rows} == {
        (160, 120, "mpeg4", None)
    }
    assert rows[0].duration == pytest.approx(120.0)


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    library = framefind.open(tmp_path_factory.mktemp("library") / "l")
    library.index(folder, sampler="every=0.5", views="whole")
    return library


def assert_frames(rows: list[Any], library: framefind.Library) -> None:
    """The frames of the library, and a row for each file that has none."""
    troubles = {Path(row.path).name: row for row in rows if row.error}
    assert troubles.keys() == {"broken.mp4", "notes.txt"}
    assert all((row.t, row.thumbnail, row.embeddings) == (None,) * 3 for row in troubles.values())
    shown = content(library)
    ids = {path: video_id for path, (video_id, _) in shown.items()}
    for path, (_, frames) in shown.items():
        if not frames:
            continue
        found = sorted((row for row in rows if row.path == path), key=lambda row: row.t)
        assert {row.video_id for row in found} == {ids[path]}
        assert [(row.t, bytes(row.thumbnail)) for row in found] == [frame[:2] for frame in frames]
        for row, (_, _, vectors) in zip(found, frames, strict=True):
            np.testing.assert_allclose(row.embeddings, vectors, atol=1e-3)
            np.testing.assert_allclose(row.boxes, [[0, 0, 1, 1]])


def test_frames_are_those_of_a_library(spark, folder, library):
    df = steps.frames(
        steps.segments(steps.videos(spark, folder, streaming=False), tasks=2),
        sampler="every=0.5",
        views="whole",
    )
    assert dict(df.dtypes) == {
        "path": "string", "video_id": "string", "segment": "string", "t": "double",
        "thumbnail": "binary", "boxes": "array<array<float>>",
        "embeddings": "array<array<float>>", "error": "string",
    }  # fmt: skip
    assert_frames(df.collect(), library)


def test_a_stream_of_frames_goes_to_any_sink(spark, folder, library, tmp_path):
    """As to `format("delta")`, where that is installed."""
    df = steps.frames(
        steps.segments(steps.videos(spark, folder), tasks=2), sampler="every=0.5", views="whole"
    )
    writer = df.writeStream.format("parquet").option("path", str(tmp_path / "t"))
    writer = writer.option("checkpointLocation", str(tmp_path / "c")).trigger(availableNow=True)
    writer.start().awaitTermination()
    assert_frames(spark.read.parquet(str(tmp_path / "t")).collect(), library)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("file:/a b/100%.mp4", "/a b/100%.mp4"),
        ("file:///a/b.mp4", "/a/b.mp4"),
        ("s3a://bucket/a b.mp4", "s3://bucket/a b.mp4"),
        ("gs://bucket/a.mp4", "gs://bucket/a.mp4"),
        ("abfss://c@account.dfs.core.windows.net/a", "abfss://c@account.dfs.core.windows.net/a"),
        ("dbfs:/Volumes/main/v/a.mp4", "/Volumes/main/v/a.mp4"),
        ("dbfs:/mnt/a.mp4", "/dbfs/mnt/a.mp4"),
        ("/a/b:c.mp4", "/a/b:c.mp4"),
    ],
)
def test_paths_are_told_as_the_local_engine_tells_them(theirs, ours):
    assert from_spark_uri(theirs) == ours


def test_sources_are_named_as_spark_wants_them(monkeypatch):
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    assert to_spark_uri("s3://bucket/v") == "s3a://bucket/v"
    assert to_spark_uri("/a/[b] {c}?*") == r"file:///a/\[b\] \{c\}\?\*"
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert to_spark_uri("s3://bucket/v") == "s3://bucket/v"
    assert to_spark_uri("/Volumes/main/v") == "/Volumes/main/v"
