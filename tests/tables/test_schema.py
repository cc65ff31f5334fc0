"""Tables whose columns other engines have changed."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.transaction import AddAction

from framefind.errors import LibraryError
from framefind.tables import maintenance
from framefind.tables.schema import FRAMES, VIDEOS, conform
from framefind.tables.tables import Tables
from rows import FINGERPRINT, publish, visible, whole, write


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    made = Tables.create(tmp_path / "l", FINGERPRINT)
    for name in "ab":
        publish(made, name)
    return made


def overwrite(tables: Tables, name: str, rows: pa.Table) -> None:
    write_deltalake(tables.address(name), rows, mode="overwrite", schema_mode="overwrite")


def content(tables: Tables, name: str) -> pa.Table:
    return DeltaTable(tables.address(name)).to_pyarrow_table().sort_by("video_id")


@pytest.mark.parametrize("table", ["videos", "frames"])
def test_an_added_column_is_left_alone(tables: Tables, table: str) -> None:
    DeltaTable(tables.address(table)).alter.add_columns([Field("note", "string")])
    DeltaTable(tables.address(table)).update({"note": "'mine'"}, predicate="video_id = 'a'")
    publish(tables, "c")
    tables.publish(removed=["b"])
    publish(tables, "d")
    assert visible(tables) == {"a": whole(), "c": whole(), "d": whole()}
    notes = {"a": "mine", "c": None, "d": None}
    for _ in range(2):
        rows = content(tables, table)
        found = dict(zip(rows["video_id"].to_pylist(), rows["note"].to_pylist(), strict=True))
        assert notes.items() <= found.items()
        maintenance.purge(tables)  # rewrites both tables


def test_a_missing_column_is_filled_and_added_by_the_next_writer(tables: Tables) -> None:
    before = tables.videos()
    overwrite(tables, "videos", content(tables, "videos").drop_columns(["error", "copies", "fps"]))
    assert sorted(map(repr, tables.videos())) == sorted(map(repr, before))
    files, row = write(tables, "c")
    row.error = "torn"
    row.copies = ["/copy.mp4"]
    tables.publish(files, [row])
    assert next(video for video in tables.videos() if video.video_id == "c") == row
    overwrite(tables, "frames", content(tables, "frames").drop_columns(["thumbnail"]))
    publish(tables, "d")
    assert set(visible(tables)) == {*"abcd"}
    assert content(tables, "frames")["thumbnail"].null_count == 30


def test_a_column_that_nothing_stands_in_for_is_named(tables: Tables) -> None:
    overwrite(tables, "videos", content(tables, "videos").drop_columns(["segments"]))
    with pytest.raises(LibraryError, match="dropped the column segments"):
        tables.videos()


def test_a_column_of_another_type_is_named_before_anything_is_written(tables: Tables) -> None:
    rows = content(tables, "videos")
    at = rows.column_names.index("copies")
    overwrite(tables, "videos", rows.set_column(at, "copies", pa.array([1, 2])))
    with pytest.raises(LibraryError, match="column copies of .*int64 and not list"):
        publish(tables, "c")


@pytest.mark.parametrize("table", ["videos", "frames"])
def test_reordered_columns_and_other_kinds_of_text(tables: Tables, table: str) -> None:
    rows = content(tables, table)
    other = {pa.string(): pa.string_view(), pa.binary(): pa.large_binary()}
    fields = [pa.field(f.name, other.get(f.type, f.type)) for f in reversed(rows.schema)]
    columns = [rows[field.name].cast(field.type) for field in fields]
    path = Path(tables.address(table), "other.parquet")
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), path)
    delta = DeltaTable(tables.address(table))
    delta.delete()
    added = AddAction(path.name, path.stat().st_size, {}, 0, True, "{}")
    delta.create_write_transaction([added], "append", delta.schema())
    assert visible(tables) == {"a": whole(), "b": whole()}
    publish(tables, "c")
    maintenance.purge(tables)
    assert visible(tables) == {"a": whole(), "b": whole(), "c": whole()}


def test_polars_writes_the_tables_again(tables: Tables) -> None:
    for name in ("videos", "frames"):
        pl.read_delta(tables.address(name)).write_delta(tables.address(name), mode="overwrite")
    publish(tables, "c")
    maintenance.maintain(tables)
    segments = {row.video_id: row.segments[0] for row in tables.videos()}
    assert visible(tables) == dict.fromkeys("abc", whole())
    assert all(tables.thumbnails([("a", segments["a"], 0.5), ("c", segments["c"], 1.0)]))


def test_zorder_compact_and_vacuum_of_another_engine(tables: Tables) -> None:
    table = DeltaTable(tables.address("frames"))
    table.delete("video_id = 'a' and t > 2")
    table.optimize.z_order(["t"])
    DeltaTable(tables.address("videos")).optimize.compact()
    for name in ("videos", "frames"):
        DeltaTable(tables.address(name)).vacuum(
            0, dry_run=False, enforce_retention_duration=False, full=True
        )
    assert visible(tables) == {"a": whole(5), "b": whole()}
    publish(tables, "c")
    assert visible(tables) == {"a": whole(5), "b": whole(), "c": whole()}


def test_rows_without_an_id_are_passed_over(tables: Tables) -> None:
    rows = pa.Table.from_pylist([{"codec": "h264"}], VIDEOS)
    write_deltalake(tables.address("videos"), rows, mode="append")
    assert set(visible(tables)) == {*"ab"}


class TestFeatures:
    def test_partitions(self, tables: Tables) -> None:
        write_deltalake(
            tables.address("frames"),
            content(tables, "frames"),
            mode="overwrite",
            schema_mode="overwrite",
            partition_by=["video_id"],
        )
        with pytest.raises(LibraryError, match=r"frames is partitioned by video_id.*rewrite it"):
            tables.frame_files()

    def test_column_mapping(self, tables: Tables) -> None:
        log = Path(tables.address("videos"), "_delta_log")
        first = (log / f"{0:020}.json").read_text().splitlines()
        metadata = next(json.loads(line) for line in first if "metaData" in line[:12])
        metadata["metaData"]["configuration"]["delta.columnMapping.mode"] = "name"
        columns = json.loads(metadata["metaData"]["schemaString"])
        for at, field in enumerate(columns["fields"], 1):
            field["metadata"] = {
                "delta.columnMapping.id": at,
                "delta.columnMapping.physicalName": f"c{at}",
            }
        metadata["metaData"]["schemaString"] = json.dumps(columns)
        protocol = {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}
        number = tables.versions()[0] + 1
        (log / f"{number:020}.json").write_text(
            "\n".join(map(json.dumps, [protocol, metadata])) + "\n"
        )
        with pytest.raises(LibraryError, match=r"videos has column mapping \(name\)"):
            tables.videos()


def test_conform_keeps_slices_and_batches() -> None:
    rows = pa.table({name: pa.array(["x", "y", "z"]) for name in ("path", "video_id")})
    rows = rows.append_column("segments", pa.array([["s"], None, []], pa.large_list(pa.string())))
    told = conform(rows.slice(1), VIDEOS)
    assert told.schema == VIDEOS
    assert told["segments"].to_pylist() == [None, []]
    batch = conform(rows.to_batches()[0], VIDEOS)
    assert (batch["video_id"].to_pylist(), batch["size"].null_count) == (["x", "y", "z"], 3)
    with pytest.raises(LibraryError, match="boxes"):
        conform(rows, FRAMES)
