"""Object stores that do not answer, other decoders and lost frames, under Spark."""

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

import framefind
from conftest import assert_same, content, write_clip
from framefind.indexing.decisions import Probed
from framefind.indexing.options import IndexOptions
from framefind.indexing.prepare import prepare_tables
from framefind.indexing.walk import walk
from stores import Bucket

pytest.importorskip("pyspark")

from framefind import spark as spark_engine
from framefind.spark import driver, stream, tasks
from framefind.spark.driver import Batches
from framefind.spark.tasks import Job

CHOICE: dict[str, Any] = {"sampler": "every=1.0", "views": "whole", "read": "none"}


@pytest.fixture
def store(spark: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket that Spark's workers can reach, too."""
    for name, value in os.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setitem(spark.sparkContext.environment, name, value)
    return bucket


def batches(spark: Any, library: framefind.Library) -> Batches:
    """A run on the driver that takes files without a stream, which would need Hadoop's S3."""
    tables, encoder = prepare_tables(library.uri, library.choice.named(None))
    job = Job(
        partial(tasks.reopen_model, encoder.fingerprint, library.choice.precision),
        IndexOptions.parse(**CHOICE),
    )
    return Batches(spark, tables, job, library.vector_index)


def test_a_store_that_does_not_answer_gives_no_row_and_is_asked_again(
    spark: Any, store: Bucket, clips: Path, tmp_path: Path
) -> None:
    uri = store.put("v/b.mp4", (clips / "b.mp4").read_bytes())
    library = framefind.open(tmp_path / "l")
    files = list(walk(uri))
    with store.closed("b.mp4"):
        run = batches(spark, library)
        run.take(files)
    assert "access is refused" in run.report.failed[uri]
    assert library.videos() == []
    run = batches(spark, library)
    run.take(files)
    assert (run.report.indexed, run.report.failed, run.report.frames) == ([uri], {}, 4)
    assert [row.status for row in library.videos()] == ["indexed"]


def test_a_store_that_breaks_off_goes_on_where_it_stopped(
    spark: Any, store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = noisy_film(tmp_path / "films" / "film.mp4")
    uri = store.put("v/film.mp4", film.read_bytes())
    library = framefind.open(tmp_path / "l")
    local = framefind.open(tmp_path / "local")
    monkeypatch.setattr(driver, "MIN_SPAN_SECONDS", 600.0)  # one span, so that it has a beginning
    files = list(walk(uri))
    with store.closed("film.mp4", after=int(1.2 * film.stat().st_size)):
        run = batches(spark, library)
        run.take(files)
    assert "access is refused" in run.report.failed[uri]
    (row,) = library.videos()
    assert (row.status, row.error) == ("indexing", None)
    assert 0 < row.frames < 30
    assert row.indexed_until == row.frames - 1
    rest = batches(spark, library)
    rest.take(files)
    assert (rest.report.indexed, rest.report.frames) == ([uri], 30 - row.frames)
    assert run.report.frames == row.frames
    assert run.report.video_seconds + rest.report.video_seconds == pytest.approx(30.0)
    assert library.videos()[0].segments[: len(row.segments)] == row.segments
    local.index(film, **CHOICE)
    (_, frames), (_, expected) = content(library)[uri], content(local)[str(film)]
    assert [frame[:2] for frame in frames] == [frame[:2] for frame in expected]


def noisy_film(path: Path) -> Path:
    """Half a minute and about 10 MB, with a keyframe every second."""
    import numpy as np

    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(3)]
    return write_clip(path, [scenes[second % 3] for second in range(30)], seconds=1.0)


def test_a_file_that_could_not_be_reached_is_taken_though_the_stream_had_it(
    spark: Any, copied_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream brings a path once; it is taken at the next start, or while the stream goes on."""
    film = copied_clips / "deep" / "d.mp4"
    probe = Batches._probe

    def unreachable(_: Batches, files: list[Any]) -> list[Probed]:
        return [Probed("unreachable", error="no answer") for _ in files]

    def unreachable_once(run: Batches, files: list[Any]) -> list[Probed]:
        monkeypatch.setattr(Batches, "_probe", probe)
        return unreachable(run, files)

    def stop_when_indexed(report: framefind.Report) -> None:
        told.append(([*report.indexed], {**report.failed}))
        if len(report.indexed) == 2:
            (query,) = spark.streams.active
            threading.Thread(target=query.stop).start()
        elif report.indexed:
            write_clip(film, [4])

    library = framefind.open(tmp_path / "l")
    monkeypatch.setattr(Batches, "_probe", unreachable)
    report = spark_engine.index(spark, film.parent, library, **CHOICE)
    assert report.failed == {str(film): "no answer"}
    told: list[Any] = []
    monkeypatch.setattr(stream, "_SWEEP_SECONDS", 0.5)
    monkeypatch.setattr(stream, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(Batches, "_probe", unreachable_once)
    report = spark_engine.index(
        spark, film.parent, library, trigger="1s", on_batch=stop_when_indexed, **CHOICE
    )
    assert told[0] == ([], {str(film): "no answer"})
    assert (report.indexed, report.failed) == ([str(film)] * 2, {})
    assert [(row.frames, row.status) for row in library.videos()] == [(2, "indexed")]


def test_another_decoder_falls_back_and_says_why(spark: Any, clips: Path, tmp_path: Path) -> None:
    if framefind.open(tmp_path / "local").index(clips / "c.mp4", decoder="cuda").fallback is None:
        pytest.skip("there is such a device here")
    library = framefind.open(tmp_path / "l")
    report = spark_engine.index(spark, clips / "deep", library, decoder="cuda", **CHOICE)
    assert report.fallback
    assert (len(report.indexed), report.frames) == (1, 10)


def test_lost_frames_are_healed(spark: Any, library: framefind.Library, clips: Path) -> None:
    before = content(library)
    (row,) = library.videos("b.mp4")
    tables = prepare_tables(library.uri, library.choice.named(None))[0]
    DeltaTable(tables.address("frames")).delete(f"video_id = '{row.video_id}'")
    library.search("a")  # has the index notice it
    report = spark_engine.index(spark, clips, library)
    assert (report.indexed, report.unchanged) == ([row.path], 3)
    assert_same(before, content(library))
    assert spark_engine.index(spark, clips, library).unchanged == 4
