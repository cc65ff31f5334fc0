import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framefind.tables import data_files
from framefind.tables.data_files import FramesWriter
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.tables import Tables
from rows import FINGERPRINT, frame


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return Path(Tables.create(tmp_path / "a.framefind", FINGERPRINT).address("frames"))


def written(table: Path, rows: list[FrameRow]) -> data_files.DataFile:
    with FramesWriter(str(table)) as writer:
        for row in rows:
            writer.add(row)
        (file,) = writer.close()
    return file


def test_layout(table: Path) -> None:
    rows = [frame("v", "s", i, size=8000) for i in range(data_files.ROWS_PER_GROUP * 2 + 5)]
    file = written(table, rows)
    metadata = pq.read_metadata(table / file.path)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [
        data_files.ROWS_PER_GROUP,
        data_files.ROWS_PER_GROUP,
        5,
    ]
    chunks = {
        group.column(i).path_in_schema: group.column(i)
        for group in groups[:1]
        for i in range(metadata.num_columns)
    }
    assert chunks["thumbnail"].compression == "UNCOMPRESSED"
    assert set(chunks["thumbnail"].encodings) == {"PLAIN", "RLE"}
    embeddings = chunks["embeddings.list.element.list.element"]
    assert embeddings.compression == "ZSTD"
    assert set(embeddings.encodings) == {"BYTE_STREAM_SPLIT", "RLE"}
    statistics = {name for name, chunk in chunks.items() if chunk.is_stats_set}
    assert statistics == set(data_files.KEYS)
    assert metadata.serialized_size < file.size / 500


def test_half_precision_halves_embeddings(table: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 4, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    rows = [FrameRow("v", "s", float(i), b"", [(0, 0, 1, 1)] * 4, v) for i, v in enumerate(vectors)]
    file = written(table, rows)
    assert file.size < 0.6 * vectors.nbytes
    (batch,) = data_files.read_frames(data_files.filesystem(str(table)), file.path, {"s"})
    stored = np.array(batch["embeddings"].to_pylist(), np.float32)
    np.testing.assert_array_equal(stored, vectors.astype(np.float16).astype(np.float32))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["one", "two"]),
            st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda t: t + 0.0),
            st.integers(1, 2),
            st.integers(0, 99),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[:3],
    ),
    st.integers(1, 4000),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_written_is_read(
    table: Path, keys: list[tuple[str, str, float, int, int]], buffer: int
) -> None:
    rows = [
        FrameRow(
            video_id,
            segment,
            t,
            bytes(range(size)),
            [(0.0, 0.0, 1.0, 1.0)] * views,
            np.full((views, 8), 0.25, np.float32) * (np.arange(views)[:, None] + 1),
        )
        for video_id, segment, t, views, size in keys
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_files, "ROWS_PER_GROUP", 3)
        patch.setattr(data_files, "MAX_BUFFER_BYTES", buffer)
        file = written(table, rows)
    store = data_files.filesystem(str(table))
    assert file.rows == len(rows) == sum(data_files.count_segments(store, file.path).values())
    by_key = {(row.video_id, row.segment, row.t): row for row in rows}
    missing = ("a", "one", 2e6)
    assert data_files.read_thumbnails(store, file.path, [*by_key, missing]) == {
        key: row.thumbnail for key, row in by_key.items()
    }
    read = [row for b in data_files.read_frames(store, file.path, {"one"}) for row in b.to_pylist()]
    found = {(row["video_id"], row["segment"], row["t"]): row for row in read}
    assert found.keys() == {key for key in by_key if key[1] == "one"}
    assert len(read) == len(found)
    for key, row in found.items():
        np.testing.assert_array_equal(row["embeddings"], by_key[key].embeddings)
        assert row["boxes"] == [list(box) for box in by_key[key].boxes]
        assert "thumbnail" not in row
    statistics = json.loads(file.statistics())
    assert statistics["numRecords"] == len(rows)
    for i, name in enumerate(data_files.KEYS):
        assert statistics["minValues"][name] == min(key[i] for key in by_key)
        assert statistics["maxValues"][name] == max(key[i] for key in by_key)


def test_rows_lie_by_video_and_time(table: Path) -> None:
    rows = [frame(v, "s", t) for t in (3.0, 1.0, 2.0) for v in ("b", "a")]
    file = written(table, rows)
    keys = pq.read_table(table / file.path, columns=["video_id", "t"]).to_pylist()
    assert [(key["video_id"], key["t"]) for key in keys] == sorted((r.video_id, r.t) for r in rows)


def test_merge_keeps_rows_of_the_segments_and_the_layout(table: Path) -> None:
    rows = {s: [frame("v", s, i) for i in range(300)] for s in ("one", "two", "dead")}
    parts = [written(table, part).path for part in rows.values()]
    (merged,) = data_files.merge(str(table), parts, {"one", "two"})
    store = data_files.filesystem(str(table))
    assert data_files.count_segments(store, merged.path) == {"one": 300, "two": 300}
    keys = [(row.video_id, row.segment, row.t) for row in rows["one"] + rows["two"]]
    jpegs = data_files.read_thumbnails(store, merged.path, keys)
    assert [jpegs[key] for key in keys] == [row.thumbnail for row in rows["one"] + rows["two"]]
    old, new = (pq.read_metadata(table / path) for path in (parts[0], merged.path))
    assert new.row_group(0).num_rows == data_files.ROWS_PER_GROUP
    for i in range(new.num_columns):
        before, after = old.row_group(0).column(i), new.row_group(0).column(i)
        assert (before.encodings, before.compression) == (after.encodings, after.compression)


def test_merge_of_dead_rows_only_writes_nothing(table: Path) -> None:
    file = written(table, [frame("v", "dead", 0)])
    assert data_files.merge(str(table), [file.path], {"other"}) == []


def test_a_writer_without_rows_writes_nothing(table: Path) -> None:
    before = list(table.iterdir())
    assert FramesWriter(str(table)).close() == []
    assert list(table.iterdir()) == before


def test_a_writer_left_by_an_exception_deletes_its_file(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "MAX_BUFFER_BYTES", 1)
    before = list(table.iterdir())

    def interrupted() -> None:
        with FramesWriter(str(table)) as writer:
            writer.add(frame("v", "s", 0))
            assert list(table.iterdir()) != before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(table.iterdir()) == before


def test_segments_are_ordered_by_time_and_distinct() -> None:
    names = [new_segment() for _ in range(1000)]
    assert len(set(names)) == 1000
    assert [name[:12] for name in names] == sorted(name[:12] for name in names)
