"""The steps as DataFrames: files, segments, frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import framefind
from conftest import content, write_clip
from framefind import spark as steps
from framefind.errors import UsageError
from framefind.indexing.options import IndexOptions
from framefind.spark.dataframes import read_spans
from framefind.spark.sources import from_spark_uri, select_columns, to_spark_uri
from framefind.spark.words import cue_rows

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


def test_odd_rows_stop_nothing(spark: Any, folder: Path) -> None:
    """Rows without a path, twice the same one, other types and URIs beside films and pictures."""
    film = str(folder / "deep" / "b.mp4")
    escaped = f"file://{folder}/a%20b%2520.mp4"  # as in `_metadata.file_path`
    paths = [None, "", film, film, f"file:{film}", escaped, "memory://a", "s3://", "a\0b.mp4", "\n"]
    rows = [(path, "7") for path in paths]
    given = spark.createDataFrame(rows, "path string, length string")
    found = steps.segments(given, tasks=1).select("path", "length", "number", "error").collect()
    assert {row.length for row in found} == {7}
    good = sorted(row.path for row in found if row.number is not None)
    assert good == sorted([str(folder / "a b%20.mp4"), film, film, film])
    errors = {row.path: row.error for row in found if row.error}
    assert errors[None] == errors[""] == "this row has no path"
    assert errors.keys() == {None, "", "memory://a", "s3://", "a\0b.mp4", "\n"}


def test_frames_and_cues_of_odd_rows_have_errors() -> None:
    rows: dict[str, list[Any]] = {"path": [None, "a.mp4"], "video_id": ["1", None]}
    rows |= {name: [None, None] for name in ("start", "end", "error", "fps", "duration")}
    batch = pa.RecordBatch.from_pydict(rows)
    expected = ["this row has no path", "this row has no video_id"]
    assert [span.error for span in read_spans([batch])] == expected
    cues = [*cue_rows([batch], IndexOptions.parse(read="none"))]
    assert [row["error"] for some in cues for row in some.to_pylist()] == expected


def test_columns_are_chosen_by_name_and_bytes_are_left_behind(spark: Any, folder: Path) -> None:
    files = spark.read.format("binaryFile").load(str(folder / "deep"))
    found = select_columns(
        files.withColumnRenamed("modificationTime", "modified"),
        "path string, length double, number int",
        optional=["number"],
    )
    assert dict(found.dtypes) == {"path": "string", "length": "double", "number": "int"}
    plan = found._jdf.queryExecution().optimizedPlan().toString()
    assert "content" not in plan.partition("Relation")[0]
    (row,) = steps.segments(files, tasks=1).collect()
    assert row.modified.timestamp() == pytest.approx((folder / "deep/b.mp4").stat().st_mtime, abs=1)
    nothing = spark.createDataFrame([("a", float("nan"))], "path string, start double")
    assert select_columns(nothing, "start double, path string").first().start is None


@pytest.mark.parametrize(
    ("columns", "step", "message"),
    [
        ("file string", steps.segments, "lacks the column path; it has file"),
        ("path binary", steps.segments, "paths of type binary: use string"),
        ("path string", steps.frames, "lacks the column video_id, start, end, error; it has path"),
        ("path string", steps.cues, "lacks the column video_id, fps, duration, number"),
    ],
)
def test_what_lacks_its_columns_is_refused_at_once(
    spark: Any, columns: str, step: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        step(spark.createDataFrame([], columns))


@pytest.mark.parametrize(
    "wrong", [{"minutes": 0}, {"minutes": float("nan")}, {"tasks": 0}, {"decoder": "x"}]
)
def test_arguments_that_make_no_sense_are_refused_at_once(spark: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        steps.segments(spark.createDataFrame([], "path string"), **wrong)
