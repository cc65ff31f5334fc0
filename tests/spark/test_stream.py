"""`framefind.spark.index`: the same library as the local engine makes, each row exactly once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framefind
import terminal
from conftest import assert_same, content, write_clip
from framefind import LibraryError
from framefind.indexing.prepare import prepare_tables
from framefind.indexing.waiting import Waiting
from framefind.processes import python_command
from media import damaged, truncated

pytest.importorskip("pyspark")

from framefind import spark as spark_engine
from framefind.models.catalog import full_name
from framefind.spark import SparkError
from framefind.spark.driver import Batches

CHOICE = {"sampler": "count=2", "views": "whole"}
ROW = "video_id copies size modified duration width height fps codec sampler views frames "
ROW += "indexed_until status error"


def rows(library: framefind.Library) -> dict[str, dict[str, Any]]:
    """The rows of videos, but for what is new in every run."""
    return {row.path: {name: vars(row)[name] for name in ROW.split()} for row in library.videos()}


def assert_equal(one: framefind.Library, other: framefind.Library) -> None:
    """The same rows, with the same frames, each once."""
    assert rows(one) == rows(other)
    shown = content(one)
    other_shown = content(other)
    assert_same(shown, other_shown)
    for path, (_, frames) in shown.items():
        for (_, _, expected), (_, _, found) in zip(frames, other_shown[path][1], strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.fixture(scope="module", autouse=True)
def one_decoder() -> Iterator[None]:
    """Of two equal files, the local engine takes that for the copy which it opens later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framefind.indexing.decoders.cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all sorts of names and troubles; for reading only."""
    folder = tmp_path_factory.mktemp("films [all]")
    write_clip(folder / "a b.mp4", [1, 2, 3])
    write_clip(folder / "deep" / "100% é😀 {x}?.mp4", [4, 5])
    write_clip(folder / "_under.mp4", [6])
    write_clip(folder / "_deep" / "%41#.mp4", [7])
    write_clip(folder / ".hidden.mp4", [8])
    write_clip(folder / "long.mp4", range(20, 60))
    shutil.copy(folder / "a b.mp4", folder / "copy.mp4")
    truncated(write_clip(folder / "broken.mp4", [9]))
    damaged(write_clip(folder / "damaged.mkv", range(60, 70)))
    (folder / "empty.mp4").touch()
    (folder / "notes.txt").write_text("a film, one day")
    write_clip(Path(os.fsdecode(bytes(folder) + b"/latin\xe9.mp4")), [9])
    library = framefind.open(folder / "inner.framefind")
    library.index(folder / "a b.mp4", **CHOICE)
    return folder


@pytest.fixture(scope="module")
def local(films: Path, tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """What the local engine makes of `films`."""
    library = framefind.open(tmp_path_factory.mktemp("local") / "l")
    library.index(films)
    return library


@pytest.fixture(scope="module")
def by_spark(spark: Any, films: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What Spark makes of them: the library and the report."""
    library = framefind.open(tmp_path_factory.mktemp("spark") / "l")
    return library, spark_engine.index(spark, films, library)


@pytest.fixture
def asked(calls: Any) -> list[Any]:
    """What executors are asked to do."""
    return calls(Batches, "_ask")


def work(asked: list[Any]) -> list[Any]:
    return [tasks for _, _, tasks in asked if tasks]


class TestOnce:
    def test_it_makes_what_the_local_engine_makes(self, local, by_spark, films):
        library, report = by_spark
        assert_equal(local, library)
        again = framefind.open(f"{library.uri}.local").index(films)
        assert sorted(report.indexed) == sorted(again.indexed)
        assert (report.partial, report.failed) == (again.partial, again.failed)
        assert (len(report.copied), report.passed_over) == (len(again.copied), again.passed_over)
        assert (report.frames, report.missing) == (again.frames, [])
        assert report.video_seconds == pytest.approx(again.video_seconds)
        statuses = {row.status for row in library.videos()}
        assert "failed" in statuses
        assert len(library.search("a", limit=99)) == len(local.search("a", limit=99))
        (long,) = [row for row in library.videos() if row.path.endswith("long.mp4")]
        assert len(long.segments) > 1

    def test_again_changes_nothing(self, spark, by_spark, films, asked):
        library, _ = by_spark
        before = library.videos()
        report = spark_engine.index(spark, films, library)
        assert (report.indexed, report.failed, report.frames) == ([], {}, 0)
        assert report.failed_before == 2
        assert work(asked) == []
        assert library.videos() == before

    def test_a_new_checkpoint_changes_nothing(self, spark, by_spark, films, asked, tmp_path):
        library, _ = by_spark
        before = library.videos()
        report = spark_engine.index(spark, films, library, checkpoint=str(tmp_path / "c"))
        assert (report.indexed, report.frames, report.failed_before) == ([], 0, 2)
        assert work(asked) == []
        assert library.videos() == before

    def test_after_the_local_engine_nothing_is_decoded(self, spark, local, films, asked, tmp_path):
        library = framefind.open(shutil.copytree(local.uri, tmp_path / "l"))
        report = spark_engine.index(spark, films, library)
        assert (report.indexed, report.frames) == ([], 0)
        assert work(asked) == []
        assert library.index(films).indexed == []

    def test_a_batch_that_is_run_again_changes_nothing(self, spark, clips, tmp_path, calls):
        """As after a crash between our commit and Spark's."""
        library = framefind.open(tmp_path / "l")
        spark_engine.index(spark, clips, library, **CHOICE)
        before = library.videos()
        versions = prepare_tables(library.uri, library.choice.named(None))[0].versions()
        (commits,) = Path(library.uri, "checkpoint").glob("*/commits")
        shutil.rmtree(commits)
        taken = calls(Batches, "take")
        spark_engine.index(spark, clips, library, **CHOICE)
        assert [files for _, files, transaction in taken if transaction] == []
        assert (
            library.videos(),
            prepare_tables(library.uri, library.choice.named(None))[0].versions(),
        ) == (before, versions)


class TestChanges:
    def test_what_changes_is_indexed_again(self, spark, copied_clips, tmp_path):
        """A stream brings a path once; the library knows what became of it."""
        library = framefind.open(tmp_path / "l")
        other = framefind.open(tmp_path / "other")
        spark_engine.index(spark, copied_clips, library, **CHOICE)
        write_clip(copied_clips / "a.mp4", [11, 12])
        (copied_clips / "b.mp4").rename(copied_clips / "moved.mp4")
        os.utime(copied_clips / "c.mp4", (1e9, 1e9))  # and very old, for a stream
        write_clip(copied_clips / "new.mp4", [13])
        os.utime(copied_clips / "new.mp4", (1e8, 1e8))
        report = spark_engine.index(spark, copied_clips, library, **CHOICE)
        assert [Path(path).name for path in report.moved] == ["moved.mp4"]
        assert {Path(path).name for path in report.indexed} == {"a.mp4", "new.mp4"}
        assert report.unchanged == 2
        other.index(copied_clips, **CHOICE)
        assert_equal(other, library)
        (copied_clips / "c.mp4").unlink()
        report = spark_engine.index(spark, copied_clips, library, sampler="count=1", views="whole")
        assert len(report.indexed) == 4
        assert report.missing == [str(copied_clips / "c.mp4")]

    def test_failed_videos_are_tried_again_on_demand(self, spark, tmp_path, clips):
        folder = tmp_path / "films"
        library = framefind.open(tmp_path / "l")
        folder.mkdir()
        bad = folder / "bad.mp4"
        bad.write_bytes(b"no film")
        assert list(spark_engine.index(spark, folder, library, **CHOICE).failed) == [str(bad)]
        again = spark_engine.index(spark, folder, library, **CHOICE)
        assert (again.failed, again.failed_before) == ({}, 1)
        again = spark_engine.index(spark, folder, library, retry=True, **CHOICE)
        assert (list(again.failed), again.failed_before) == ([str(bad)], 0)
        shutil.copy(clips / "a.mp4", bad)
        again = spark_engine.index(spark, folder, library, **CHOICE)
        assert again.indexed == [str(bad)]
        assert [row.status for row in library.videos()] == ["indexed"]

    def test_an_interrupted_local_run_goes_on(self, spark, clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        whole = framefind.open(tmp_path / "whole")
        for one in (library, whole):
            one.index(clips / "deep" / "d.mp4", views="whole")
        (row,) = library.videos()
        tables = prepare_tables(library.uri, library.choice.named(None))[0]
        with tables.writer() as writer:
            writer.extend(_first_frames(tables, 4, row.segments[0]))
            row.segments = ["half"]
            row.status = "indexing"
            row.indexed_until = 3.0
            row.frames = 4
            tables.publish(writer.close(), [row])
        report = spark_engine.index(spark, clips / "deep", library, views="whole")
        assert report.frames == 6
        assert_equal(whole, library)
        assert library.videos()[0].segments[0] == "half"

    def test_globs_mean_what_they_mean_locally(self, spark, films, tmp_path):
        library = framefind.open(tmp_path / "l")
        choice: dict[str, Any] = {"glob": ["*.mp4"], "exclude": ["deep/*", "broken*", "long*"]}
        spark_engine.index(spark, films, library, **choice, **CHOICE)
        other = framefind.open(tmp_path / "other")
        other.index(films, **choice, **CHOICE)
        assert_equal(other, library)


def _first_frames(tables: Any, count: int, segment: str) -> Any:
    import pyarrow as pa

    (file,) = tables.frame_files()
    found = pa.parquet.read_table(f"{tables.address('frames')}/{file}").slice(0, count)
    column = pa.array(["half"] * count)
    from framefind.tables.schema import FRAMES

    return found.set_column(1, "segment", column).cast(FRAMES)


class TestTrouble:
    def test_another_model_is_refused(self, spark, library, clips):
        with pytest.raises(LibraryError, match=f"made with {full_name('mini')}, not ViT-B-32"):
            spark_engine.index(spark, clips, library, model="fast")

    def test_a_wrong_choice_is_refused_before_anything_is_made(self, spark, clips, tmp_path):
        for wrong in ({"sampler": "often"}, {"views": "all"}, {"trigger": "soon"}, {"minutes": 0}):
            with pytest.raises(ValueError, match="use"):
                spark_engine.index(spark, clips, tmp_path / "l", **wrong)
        for name, value in {"files": 0, "source": [clips, clips], "checkpoint": ""}.items():
            with pytest.raises(ValueError, match=f"`{name}`"):
                spark_engine.index(
                    spark, **{"source": clips, "library": tmp_path / "l", name: value}
                )
        with pytest.raises(SparkError, match="not a folder"):
            spark_engine.index(spark, clips / "a.mp4", tmp_path / "l")
        assert not (tmp_path / "l").exists()

    def test_it_says_what_failed_in_spark(self, spark, clips, tmp_path, monkeypatch):
        library = framefind.open(tmp_path / "l")
        monkeypatch.setattr(Batches, "take", lambda *_: 1 / 0)
        with pytest.raises(SparkError, match="Spark gave up: division by zero"):
            spark_engine.index(spark, clips, library)
        monkeypatch.undo()
        assert len(spark_engine.index(spark, clips, library, **CHOICE).indexed) == 4

    def test_without_spark_or_java_it_says_what_to_install(self, monkeypatch, tmp_path):
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        with pytest.raises(SparkError, match="needs Java 17 or newer, and JAVA_HOME=.* has none"):
            spark_engine.session()
        monkeypatch.delenv("JAVA_HOME")
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SparkError, match="JAVA_HOME is not set: install one"):
            spark_engine.session()
        monkeypatch.setitem(sys.modules, "pyspark", None)
        with pytest.raises(SparkError, match=r"pip install 'framefind\[spark\]'"):
            spark_engine.session()

    def test_a_worker_that_is_killed_is_replaced(self, spark, slow_films, tmp_path):
        library = framefind.open(tmp_path / "l")
        other = framefind.open(tmp_path / "other")
        with while_decoding(spark, slow_films, _kill) as killed:
            report = spark_engine.index(spark, slow_films, library, **SLOWLY)
        assert len(killed) == 1
        assert len(report.indexed) == 2
        other.index(slow_films, **SLOWLY)
        assert_equal(other, library)

    def test_ctrl_c_keeps_what_is_committed(self, spark, slow_films, tmp_path):
        library = framefind.open(tmp_path / "l")
        with (
            while_decoding(spark, slow_films, _interrupt) as interrupted,
            pytest.raises(KeyboardInterrupt),
        ):
            spark_engine.index(spark, slow_films, library, **SLOWLY)
        assert len(interrupted) == 1
        assert library.videos() == []
        assert len(spark_engine.index(spark, slow_films, library, **CHOICE).indexed) == 2


def _kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def _interrupt(_: int) -> None:
    os.kill(os.getpid(), signal.SIGINT)


SLOWLY = {"sampler": "every=0.4", "views": "60/30"}


@pytest.fixture
def slow_films(tmp_path: Path) -> Path:
    folder = tmp_path / "slow"
    write_clip(folder / "a.mp4", range(80, 90))
    write_clip(folder / "b.mp4", range(60, 70))
    return folder


@contextmanager
def while_decoding(spark: Any, folder: Path, do: Callable[[int], None]) -> Iterator[list[int]]:
    """Do something to the first Python worker of Spark that is seen to decode."""
    done: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not done and not ended.wait(0.01):
            for worker in _decoding(spark, folder)[:1]:
                done.append(worker)
                do(worker)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


def _decoding(spark: Any, folder: Path) -> list[int]:
    """The Python workers of Spark that decode right now: whose decoder reads a film."""
    found = []
    java = spark.sparkContext._gateway.proc.pid
    parents = {int(stat.parent.name): _parent(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    for pid, parent in parents.items():
        if parents.get(parents.get(parent or 0) or 0) == java:  # java, daemon, worker, decoder
            try:
                opened = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
            except OSError:
                continue
            if any(name.startswith(str(folder)) for name in opened):
                found.append(parent or 0)
    return found


def _parent(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


KILLED = """
import os, signal, sys
from framefind import spark
from framefind.spark.driver import Batches
from framefind.tables.tables import Tables
when, films, library = sys.argv[1:]
original = Tables.publish
def killing(self, files=(), *rest, **cues):
    if when == "after":
        original(self, files, *rest, **cues)
    if files:
        os.kill(os.getpid(), signal.SIGKILL)
Tables.publish = killing
spark.index(spark.session("local[2]"), films, library, views="whole")
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_driver_that_is_killed_goes_on(spark, clips, tmp_path, when):
    """Killed between the executors' files and the commit, and between that and Spark's own."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, when, str(clips), str(tmp_path / "l")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    library = framefind.open(tmp_path / "l")
    other = framefind.open(tmp_path / "other")
    assert len(library.videos()) == (4 if when == "after" else 0)
    assert len(list(Path(library.uri, "frames").glob("*.parquet"))) >= 1
    report = spark_engine.index(spark, clips, library, views="whole")
    assert len(report.indexed) == (0 if when == "after" else 4)
    other.index(clips, views="whole")
    assert_equal(other, library)


def test_a_stream_brings_what_comes(spark, copied_clips, tmp_path, monkeypatch, calls):
    """Each file once, when it is complete and has its name."""
    monkeypatch.setattr("framefind.spark.stream._SETTLE_SECONDS", 0.5)
    waiting = calls(Waiting, "add")
    library = framefind.open(tmp_path / "l")
    told: list[int] = []
    reports: list[framefind.Report] = []

    def run() -> None:
        reports.append(
            spark_engine.index(
                spark,
                copied_clips,
                library,
                trigger="1s",
                on_batch=lambda report: told.append(len(report.indexed)),
                **CHOICE,
            )
        )

    stream = threading.Thread(target=run)
    stream.start()
    _wait(lambda: told[-1:] == [4])
    content = write_clip(tmp_path / "new.mp4", [14]).read_bytes()
    partial = copied_clips / "deep" / "new.mp4.part"
    for name in (partial, partial.with_suffix("")):
        if name == partial:
            partial.write_bytes(content[: len(content) // 2])
        else:
            partial.rename(name)
        _wait(lambda path=str(name): path in [file.path for _, file, *_ in waiting])
    with name.open("ab") as file:
        file.write(content[len(content) // 2 :])
    _wait(lambda: told[-1] == 5)
    searching = framefind.open(library.uri)
    assert len(searching.search("a", by="video", limit=9).videos or ()) == 5
    with pytest.raises(LibraryError, match="another framefind is writing"):
        framefind.open(library.uri).index(copied_clips)
    for query in spark.streams.active:
        query.stop()
    stream.join(30)
    assert [(len(report.indexed), report.failed, report.missing) for report in reports] == [
        (5, {}, [])
    ]
    assert framefind.open(library.uri).index(copied_clips, **CHOICE).unchanged == 5


def _wait(until: Any, seconds: float = 240.0) -> None:
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)


def test_a_backlog_is_committed_bit_by_bit(spark, clips, tmp_path, monkeypatch):
    from framefind.spark import driver
    from framefind.tables.tables import Tables

    monkeypatch.setattr(driver, "_ROUNDS_PER_COMMIT", 0.001)
    commits = []
    original = Tables.publish

    def published(
        self: Tables, files: Any, videos: Any, removed: Any, transaction: Any, **cues: Any
    ) -> bool:
        commits.append((len(videos), transaction is not None))
        return original(self, files, videos, removed, transaction, **cues)

    monkeypatch.setattr(Tables, "publish", published)
    library = framefind.open(tmp_path / "l")
    spark_engine.index(spark, clips, library, files=3, **CHOICE)
    assert commits == [(1, False), (1, False), (1, True), (1, True)]
    monkeypatch.undo()
    other = framefind.open(tmp_path / "other")
    other.index(clips, **CHOICE)
    assert_equal(other, library)


class TestCommand:
    def test_it_does_what_the_local_one_does(self, films, local, tmp_path, planted):
        """And imports nothing from the working directory, neither itself nor in its workers."""
        command = [*python_command("framefind.cli"), "index", str(films), "--json"]
        command += ["--library", str(tmp_path / "l"), "--engine", "spark", "--master", "local[2]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        assert json.loads(done.stdout)["frames"] > 80
        assert "failed: " in done.stderr
        assert "Traceback" not in done.stderr
        assert_equal(local, framefind.open(tmp_path / "l"))
        assert not planted.exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--engine", "flink", "."], "'local', 'spark'"),
            (["--master", "local[2]", "."], "go with --engine spark"),
            (["--engine", "spark", "--dry-run", "."], "do not go with --engine spark"),
            (["--engine", "spark", ".", ".."], "one folder or URI"),
        ],
    )
    def test_what_does_not_go_together(self, words, said, tmp_path):
        done = terminal.run("index", "--library", tmp_path / "l", *words)
        assert done.returncode == 2
        assert said in " ".join(done.stderr.replace("│", " ").split())
        assert not (tmp_path / "l").exists()


def test_long_films_are_spread_over_all_slots(spark, tmp_path, asked):
    film = write_clip(tmp_path / "films" / "long.mp4", [*range(10)] * 16)  # 320 s
    library = framefind.open(tmp_path / "l")
    other = framefind.open(tmp_path / "other")
    spark_engine.index(spark, film.parent, library, sampler="every=5", views="whole")
    probes, words, writes = work(asked)
    assert (len(probes), len(words), len(writes)) == (1, 1, 6)  # for a slot three
    other.index(film, sampler="every=5", views="whole")
    assert_equal(other, library)
    assert len(library.videos()[0].segments) == 6
