from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.errors import LibraryError
from framefind.index.build import refresh
from framefind.index.int8_scan import scan
from framefind.index.products import multiply
from framefind.index.timeline import Timeline
from framefind.index.vectors import VectorIndex
from framefind.tables import maintenance
from framefind.tables.rows import FrameRow
from framefind.tables.tables import Tables
from framefind.types import Video
from framefind.video.views import WHOLE

D = 16
FINGERPRINT = {"model": "fake", "weights": "0", "dimensions": str(D), "preprocessing": "none"}
Films = dict[str, list[float]]  # the times of a video's frames


def unit(seed: int, rows: int) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((rows, D)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def add(tables: Tables, films: Films, duration: float | None = None, segments: int = 1) -> None:
    """Publish videos whose frames, by turns, have one, two or three views."""
    videos = []
    with tables.writer() as writer:
        for name, times in films.items():
            ids = [f"{name}-{at}" for at in range(segments)]
            for at, t in enumerate(times):
                views = at % 3 + 1
                vectors = unit(1000 * ord(name[0]) + at, views)
                boxes = [WHOLE, (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 0.5, 1.0)][:views]
                writer.add(FrameRow(name, ids[at % segments], t, b"jpeg", boxes, vectors))
            videos.append(Video(video_id=name, path=f"/{name}", segments=ids, duration=duration))
        tables.publish(writer.close(), videos)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables.create(tmp_path / "l", FINGERPRINT)


def shown(index: VectorIndex) -> list[tuple[str, float, list[list[float]], list[list[float]]]]:
    line = index.timeline
    return [
        (
            index.videos[video].path,
            float(t),
            index.boxes[index.rows(int(frame))].tolist(),
            index.vectors[index.rows(int(frame))].tolist(),
        )
        for frame, video, t in zip(line.frame, line.video, line.t, strict=True)
    ]


class TestRefresh:
    def test_empty(self, tables, tmp_path):
        index = refresh(tmp_path / "index", tables)
        line = index.timeline
        assert {len(column) for column in vars(line).values()} == {0}
        (found,) = scan(index, unit(0, 1), line)
        assert (len(found.values), len(found.best), shown(index)) == (0, 0, [])

    def test_orders_by_path_and_time(self, tables, tmp_path):
        add(tables, {"b": [3.0, 1.0, 2.0], "a": [5.0]})
        index = refresh(tmp_path / "index", tables)
        assert [row[:2] for row in shown(index)] == [("/a", 5), ("/b", 1), ("/b", 2), ("/b", 3)]

    def test_step_by_step_equals_at_once(self, tables, tmp_path):
        for films in ({"c": [0.0, 1.0]}, {"a": [0.5], "d": [2.0]}, {"b": [0.0, 4.0, 8.0]}):
            add(tables, films)
            step = refresh(tmp_path / "index", tables)
        tables.publish(removed=["d"])
        step = refresh(tmp_path / "index", tables)
        assert shown(step) == shown(refresh(tmp_path / "other", tables))
        assert shown(step) == shown(VectorIndex(tmp_path / "index"))
        maintenance.maintain(tables, retention_hours=0)
        assert shown(refresh(tmp_path / "index", tables)) == shown(step)

    def test_unpublished_rows_do_not_count_until_they_are(self, tables, tmp_path):
        with tables.writer() as writer:
            writer.add(FrameRow("a", "s", 0.0, b"", [WHOLE], unit(1, 1)))
            tables.publish(writer.close())
        assert shown(refresh(tmp_path / "index", tables)) == []
        tables.publish(videos=[Video(video_id="a", path="/a", segments=["s"])])
        assert len(shown(refresh(tmp_path / "index", tables))) == 1

    def test_what_a_crash_left_behind_is_overwritten(self, tables, tmp_path):
        add(tables, {"a": [0.0, 1.0]})
        folder = tmp_path / "index"
        before = shown(refresh(folder, tables))
        for file in folder.glob("*/*"):
            with file.open("ab") as stream:
                stream.write(b"half a row")
        assert shown(VectorIndex(folder)) == before
        add(tables, {"b": [0.0]})
        assert shown(refresh(folder, tables)) == shown(refresh(tmp_path / "other", tables))

    def test_is_built_again_when_much_is_dead(self, tables, tmp_path):
        add(tables, {"a": [0.0, 1.0], "b": [0.0]})
        refresh(tmp_path / "index", tables)
        tables.publish(removed=["a"])
        index = refresh(tmp_path / "index", tables)
        assert (len(index.frames), len(shown(index))) == (1, 1)

    def test_old_readers_keep_what_they_have(self, tables, tmp_path):
        add(tables, {"a": [0.0, 1.0], "b": [0.0]})
        old = refresh(tmp_path / "index", tables)
        before = shown(old)
        tables.publish(removed=["a"])
        add(tables, {"c": [0.0, 7.0]})
        refresh(tmp_path / "index", tables)
        assert shown(old) == before

    def test_a_folder_that_cannot_be_written_is_an_error(self, tables, tmp_path):
        (tmp_path / "index").touch()
        with pytest.raises(LibraryError, match="index"):
            refresh(tmp_path / "index", tables)


class TestTimeline:
    @pytest.mark.parametrize(
        ("times", "duration", "until", "interval"),
        [
            ([0.0, 2.0, 4.0], 5.0, [2, 4, 5], 2),
            ([0.0, 2.0, 4.0], None, [2, 4, 6], 2),
            ([0.0, 2.0, 4.0], 3.0, [2, 4, 6], 2),
            ([1.0], None, [2], 1),
            ([1.0], 9.0, [9], 1),
        ],
    )
    def test_until_and_interval(self, tables, tmp_path, times, duration, until, interval):
        add(tables, {"other": [0.0, 9.0], "video": times}, duration)
        line = refresh(tmp_path / "index", tables).timeline
        own = line.video == 1
        assert line.until[own].tolist() == until
        assert set(line.interval[own].tolist()) == {interval}

    def test_cuts_part_what_frames_stand_for(self):
        owner = np.array([0, 0, 0, 0, 1, 1])
        t = np.array([0.0, 1.0, 2.0, 3.0, 0.0, 1.0])
        line = Timeline.build(owner, t, [4.0, 2.0], [[0.4, 0.8, 2.0, 9.0], None])
        assert line.since.tolist() == [0, 0.8, 2, 3, 0, 1]
        assert line.until.tolist() == [0.4, 2, 3, 4, 1, 2]
        assert line.shot.tolist() == [0, 2, 3, 3, 0, 1]
        assert line.select(end=0.9).t.tolist() == [0, 1, 0]
        assert line.select(start=0.5, end=0.7).t.tolist() == [0]

    def test_segments_of_a_video_are_one_line(self, tables, tmp_path):
        add(tables, {"a": [0.0, 1.0, 2.0, 3.0]}, segments=3)
        assert refresh(tmp_path / "index", tables).timeline.t.tolist() == [0, 1, 2, 3]


class TestScore:
    def test_is_the_best_views_cosine_times_100(self, tables, tmp_path):
        add(tables, {"a": [0.0, 1.0, 2.0], "b": [0.0, 1.0]})
        index = refresh(tmp_path / "index", tables)
        query = unit(7, 1)[0]
        (scores,) = scan(index, query[None], index.timeline)
        scores.exact(np.arange(len(scores.line)))
        assert scores.values.dtype == np.float32
        expected = [100 * max(np.array(row[3]) @ query) for row in shown(index)]
        np.testing.assert_allclose(scores.values, expected, rtol=1e-5)
        every = index.vectors.astype(np.float32)
        np.testing.assert_allclose(multiply(index.vectors, query), 100 * every @ query, 1e-4, 1e-4)

    @given(st.integers(1, 70), st.integers(0, 9))
    def test_of_a_row_depends_on_no_other(self, rows, seed):
        """BLAS rounds a row's product differently, depending on how many rows there are."""
        vectors = unit(seed, 70).astype(np.float16)
        query = unit(seed + 100, 1)[0]
        np.testing.assert_array_equal(
            multiply(vectors[:rows], query), multiply(vectors, query)[:rows]
        )


def test_batches_may_be_slices(tables, tmp_path):
    """Arrow gives slices with offsets of their own."""
    add(tables, {"a": [float(t) for t in range(300)]})
    index = refresh(tmp_path / "index", tables)
    assert isinstance(next(tables.read_frames(tables.frame_files()[0], {"a-0"})), pa.RecordBatch)
    assert [len(row[3]) for row in shown(index)] == [at % 3 + 1 for at in range(300)]
