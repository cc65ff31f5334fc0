"""Spans of videos, decoded apart: together they are the whole."""

import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import framefind
from conftest import content, write_clip
from framefind.errors import ModelError
from framefind.indexing import video_row
from framefind.indexing.options import IndexOptions
from framefind.indexing.prepare import prepare_tables
from framefind.indexing.video_row import Ending
from framefind.spark import tasks
from framefind.spark.sources import thin_cuts
from framefind.spark.tasks import Job, VideoSpan
from framefind.tables.tables import Tables
from framefind.video.process import DecoderProcess
from media import truncated

pytest.importorskip("pyspark")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes of two seconds."""
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", range(40, 52))


@pytest.fixture(scope="module")
def video_id(film: Path) -> str:
    (probed,) = tasks.probe_all([str(film)], "auto", cut=True)
    return probed.video_id


def spans(film: Path, video_id: str, borders: list[float]) -> list[VideoSpan]:
    pairs = pairwise([-math.inf, *borders, math.inf])
    return [VideoSpan(str(film), video_id, *pair) for pair in pairs]


def job(sampler: str = "every=1.0", dedupe: float = 0.0) -> Job:
    return Job(executor_model, IndexOptions.parse(sampler=sampler, views="whole", dedupe=dedupe))


def executor_model(device: str) -> object:
    return tasks.load_model("mini", "auto", device)


@pytest.mark.parametrize("sampler", ["every=1.0", "every=0.3", "keyframes", "shots", "count=7"])
@pytest.mark.parametrize("borders", [[4.0, 8.0, 20.0], [3.5, 3.6, 23.9], [6.0, 99.0]])
def test_spans_are_the_whole(film, video_id, sampler, borders):
    """At keyframes, in the middle of nowhere, and beyond the end."""
    options = IndexOptions.parse(sampler=sampler, views="whole")
    model = SimpleNamespace(size=32, resize="bilinear")
    whole, cut = (
        [
            (item.t, item.pixels.tobytes(), item.thumbnail)
            for _, item in tasks.sample(spans(film, video_id, at), options, model, 1)
            if not isinstance(item, Ending)
        ]
        for at in ([], borders)
    )
    assert len(whole) > 5
    assert cut == whole


def test_cuts_lie_where_packets_allow(film):
    with_cuts = DecoderProcess()
    with_cuts.open(str(film))
    assert with_cuts.cuts(4.0) == [4.0, 8.0, 12.0, 16.0, 20.0]
    with_cuts.close()


@given(
    gaps=st.lists(st.floats(1, 40), max_size=30),
    length=st.floats(1, 200),
)
def test_merged_cuts_are_some_of_them_and_far_apart(gaps, length):
    cuts = [float(cut) for cut in np.cumsum(gaps)]
    kept = thin_cuts(cuts, length)
    assert set(kept) <= set(cuts)
    assert all(later - earlier >= length - 1e-5 for earlier, later in pairwise([0.0, *kept]))
    missed = [cut for cut in cuts if cut - (kept[-1] if kept else 0.0) >= length]
    assert not missed


def test_data_files_hold_what_a_library_holds(film, video_id, tmp_path, monkeypatch):
    local = framefind.open(tmp_path / "local")
    local.index(film, views="whole")
    tables = Tables.create(
        tmp_path / "l", prepare_tables(local.uri, local.choice.named(None))[1].fingerprint
    )
    monkeypatch.setattr(tasks, "COMMIT_FRAMES", 5)
    monkeypatch.setattr(video_row, "SEGMENT_SECONDS", 3.0)
    files, results = tasks.write(tasks.run(spans(film, video_id, [10.0]), job()), tables.uri)
    assert [written.frames for written, _, _ in results] == [10, 14]
    assert [written.last for written, _, _ in results] == [9.0, 23.0]
    assert [file.rows for file in files] == [5, 5, 5, 5, 4]
    segments = [segment for written, _, _ in results for segment in written.segments]
    assert len(set(segments)) == len(segments) >= 8
    (row,) = local.videos()
    row.segments = segments
    tables.publish(files, [row])
    for one, other in zip(
        content(local)[str(film)][1], content(tables.uri)[str(film)][1], strict=True
    ):
        assert one[:2] == other[:2]
        np.testing.assert_allclose(one[2], other[2], atol=1e-3)


def test_a_failure_leaves_the_frames_before_it(film, video_id, tmp_path):
    broken = truncated(write_clip(tmp_path / "broken.mp4", [1]))
    given_out = [
        VideoSpan(str(film), video_id, -math.inf, 2.0),
        VideoSpan(str(broken), "0"),
        VideoSpan(str(tmp_path / "nothing.mp4"), "0"),
        VideoSpan(str(film), "another", 2.0, 4.0),
        VideoSpan("note.txt", "", error="not a video"),
        VideoSpan(str(film), video_id, 2.0, 4.0),
    ]
    ends = []
    times = []
    for span, item in tasks.run(given_out, job()):
        if isinstance(item, Ending):
            ends.append((Path(span.path).name, item.stopped is not None, item.trouble))
        else:
            times.append(item.frame.t)
    assert times == [0.0, 1.0, 2.0, 3.0]
    assert [end[:2] for end in ends] == [
        ("film.mp4", False),
        ("broken.mp4", True),
        ("nothing.mp4", True),
        ("film.mp4", True),
        ("note.txt", True),
        ("film.mp4", False),
    ]
    assert "changed while it was read" in ends[3][2]
    assert ends[4][2] == "not a video"


def test_frames_that_look_alike_take_the_vectors_of_the_first(tmp_path):
    still = write_clip(tmp_path / "still.mp4", [1, 1, 2])
    (probed,) = tasks.probe_all([str(still)], "auto", cut=False)
    items = [
        item
        for _, item in tasks.run([VideoSpan(str(still), probed.video_id)], job(dedupe=2.0))
        if not isinstance(item, Ending)
    ]
    assert len(items) == 6
    assert items[0].vectors is items[3].vectors
    assert items[3].vectors is not items[4].vectors


def test_reading_ahead_keeps_order_and_passes_errors_on():
    def numbers():
        yield from range(300)
        raise OSError("the end")

    ahead = tasks.read_ahead(numbers(), 8)
    assert [next(ahead) for _ in range(300)] == list(range(300))
    with pytest.raises(OSError, match="the end"):
        next(ahead)


def test_reading_ahead_ends_with_its_reader():
    closed = []

    def numbers():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    ahead = tasks.read_ahead(numbers(), 8)
    next(ahead)
    ahead.close()
    assert closed == [True]


def test_a_task_runs_on_the_gpu_that_spark_gives_it(monkeypatch):
    context = pytest.importorskip("pyspark").TaskContext

    class Given:
        def resources(self):
            return {"gpu": type("Gpu", (), {"addresses": ["3"]})}

    monkeypatch.setattr(context, "get", lambda: Given())
    assert tasks._device("auto") == tasks._device("cuda") == "cuda:3"
    assert tasks._device("cpu") == "cpu"
    monkeypatch.setattr(context, "get", lambda: None)
    assert tasks._device("auto") == "auto"


def test_a_machine_with_other_weights_says_so():
    mine = tasks.load_model("mini", "auto", "cpu").fingerprint
    assert tasks.reopen_model(mine, "auto", "cpu").fingerprint == mine
    with pytest.raises(ModelError, match="has other weights or preprocessing than the driver"):
        tasks.reopen_model({**mine, "weights": "0"}, "auto", "cpu")
