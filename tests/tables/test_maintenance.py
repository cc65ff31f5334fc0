import os
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from framefind.reports import Upkeep
from framefind.tables import maintenance, videos_table
from framefind.tables.tables import Tables
from rows import FINGERPRINT, count, publish, visible, whole, write


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables.create(tmp_path / "a.framefind", FINGERPRINT)


def test_small_files_become_one(tables: Tables) -> None:
    for i in range(maintenance.MIN_SMALL_FILES):
        publish(tables, f"v{i}")
    before = visible(tables)
    assert maintenance.maintain(tables) == Upkeep(rewritten=maintenance.MIN_SMALL_FILES, written=1)
    assert len(tables.frame_files()) == 1
    assert visible(tables) == before
    version = tables.versions()
    maintenance.tidy(tables)
    assert tables.versions() == version


def test_few_small_files_are_left_alone(tables: Tables) -> None:
    for i in range(maintenance.MIN_SMALL_FILES - 1):
        publish(tables, f"v{i}")
    assert maintenance.maintain(tables).rewritten == 0


def test_files_are_not_merged_past_the_size(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = write(tables, "v")[0][0].size
    for i in range(9):
        publish(tables, f"v{i}")
    monkeypatch.setattr(maintenance, "TARGET_FILE_BYTES", int(3.5 * size))
    assert maintenance.maintain(tables).written == 3
    assert all(times == whole() for times in visible(tables).values())


def test_unpublished_rows_stay_while_a_writer_may_publish_them(tables: Tables) -> None:
    written, row = write(tables, "slow")
    tables.publish(written)
    for i in range(maintenance.MIN_SMALL_FILES):
        publish(tables, f"v{i}")
    assert maintenance.maintain(tables).dropped == 0
    tables.publish(videos=[row])
    assert visible(tables)["slow"] == whole()


def test_purge_removes_what_does_not_count_from_the_disk(tables: Tables) -> None:
    publish(tables, "kept")
    publish(tables, "gone")
    tables.publish(write(tables, "never")[0])
    tables.publish(removed=["gone"])
    orphan = Path(tables.address("frames"), "0123.parquet")
    orphan.write_bytes(b"from a writer that was killed")
    assert maintenance.purge(tables).dropped == 20
    assert visible(tables) == {"kept": whole()}
    assert count(tables) == 10
    for name in ("videos", "frames"):
        on_disk = {str(path) for path in Path(tables.address(name)).glob("*.parquet")}
        assert on_disk == set(DeltaTable(tables.address(name)).file_uris())


def test_maintain_keeps_files_that_are_young(tables: Tables) -> None:
    written, row = write(tables, "slow")
    publish(tables, "a")
    maintenance.maintain(tables)
    tables.publish(written, [row])
    assert visible(tables) == {"a": whole(), "slow": whole()}


def test_videos_stay_few_files(tables: Tables) -> None:
    for i in range(2 * maintenance.MIN_SMALL_FILES + 2):
        publish(tables, f"v{i}", frames=1)
    assert len(DeltaTable(tables.address("videos")).file_uris()) <= maintenance.MIN_SMALL_FILES
    assert len(tables.videos()) == 2 * maintenance.MIN_SMALL_FILES + 2
    log = Path(tables.address("videos"), "_delta_log")
    assert (log / "_last_checkpoint").exists()


def test_compactions_at_once_do_not_double_rows(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds its files gone: delta-rs itself would let both happen."""
    for i in range(maintenance.MIN_SMALL_FILES):
        publish(tables, f"v{i}")
    merge = maintenance.data_files.merge
    other = Tables.open(tables.uri)

    def overtaken(*arguments):
        monkeypatch.setattr(maintenance.data_files, "merge", merge)
        maintenance.compact(other, "frames")
        return merge(*arguments)

    monkeypatch.setattr(maintenance.data_files, "merge", overtaken)
    assert maintenance.maintain(tables) == Upkeep()
    assert count(tables) == 10 * maintenance.MIN_SMALL_FILES
    assert all(times == whole() for times in visible(tables).values())
    folder = Path(tables.address("frames"))
    live = sum(pq.read_metadata(folder / path).num_rows for path in tables.frame_files())
    assert live == count(tables)


def test_a_compaction_overtaken_at_its_commit(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta-rs would rebase it, onto an append rightly and onto a compaction wrongly."""
    replace_files = maintenance.replace_files
    other = Tables.open(tables.uri)
    for i in range(maintenance.MIN_SMALL_FILES):
        publish(tables, f"v{i}")

    def overtaken_by_an_append(*arguments):
        monkeypatch.setattr(maintenance, "replace_files", replace_files)
        publish(other, "late")
        replace_files(*arguments)

    def overtaken_by_a_compaction(*arguments):
        monkeypatch.setattr(maintenance, "replace_files", replace_files)
        maintenance.compact(other, "frames")
        replace_files(*arguments)

    monkeypatch.setattr(maintenance, "replace_files", overtaken_by_an_append)
    assert maintenance.maintain(tables).rewritten == maintenance.MIN_SMALL_FILES
    assert visible(tables)["late"] == whole()
    for i in range(maintenance.MIN_SMALL_FILES, 2 * maintenance.MIN_SMALL_FILES):
        publish(tables, f"v{i}")
    monkeypatch.setattr(maintenance, "replace_files", overtaken_by_a_compaction)
    assert maintenance.maintain(tables).rewritten == 0
    assert count(tables) == 10 * (2 * maintenance.MIN_SMALL_FILES + 1)
    assert all(times == whole() for times in visible(tables).values())


def test_compactions_of_videos_at_once_do_not_double_rows(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """delta-rs's own `optimize` doubles every row here, and calls it a success."""
    for i in range(3):
        publish(tables, f"v{i}")
    write_rows = videos_table.write_rows
    other = Tables.open(tables.uri)

    def overtaken(*arguments):
        monkeypatch.setattr(videos_table, "write_rows", write_rows)
        other.compact_videos(keep=1)
        return write_rows(*arguments)

    monkeypatch.setattr(videos_table, "write_rows", overtaken)
    tables.compact_videos(keep=1)
    assert sorted(row.video_id for row in tables.videos()) == ["v0", "v1", "v2"]
    assert len(DeltaTable(tables.address("videos")).file_uris()) == 1


def test_logs_stay_short(tables: Tables) -> None:
    """A stream commits every ten seconds, and every search lists the log."""
    for i in range(25):
        publish(tables, f"v{i}", frames=1)
    log = Path(tables.address("frames"), "_delta_log")
    for file in log.glob("*"):
        os.utime(file, (time.time() - 8 * 24 * 3600,) * 2)
    before = len(list(log.iterdir()))
    publish(tables, "late")
    maintenance.maintain(tables)
    assert len(list(log.iterdir())) < before - 15
    assert len(visible(tables)) == 26
