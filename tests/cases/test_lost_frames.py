"""Frames that other programs, or a broken disk, have taken out of a library."""

import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import framefind
from conftest import assert_same, content
from framefind import Library
from framefind.errors import LibraryError
from framefind.tables.tables import Tables
from framefind.types import Video

pytestmark = pytest.mark.usefixtures("no_words")


def found(library: Library | str) -> dict[str, int]:
    """The names of the videos that a search finds, with their frames in the index."""
    opened = framefind.open(library.uri if isinstance(library, Library) else library)
    names = {os.path.basename(moment.path) for moment in opened.search("a cat", limit=99)}
    index = opened.vector_index.get()
    return {
        os.path.basename(video.path): len(index.line_of(video.video_id))
        for video in index.videos
        if os.path.basename(video.path) in names
    }


def frames(library: Library) -> DeltaTable:
    return DeltaTable(Tables(library.uri).address("frames"))


def row(library: Library, name: str) -> Video:
    return next(one for one in library.videos() if os.path.basename(one.path) == name)


ALL = {"a.mp4": 6, "b.mp4": 4, "c.mp4": 2, "d.mp4": 10}


def test_deleted_rows_are_noticed_and_healed(
    library: Library, clips: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(library)
    assert found(library) == ALL
    assert library.status().lost == 0
    frames(library).delete(f"video_id = '{row(library, 'b.mp4').video_id}'")
    assert library.status().lost == 1  # with an index that is not up to date,
    assert found(library) == {"a.mp4": 6, "c.mp4": 2, "d.mp4": 10}
    assert framefind.open(library.uri).status().lost == 1  # and with one that is
    lines = {record.getMessage() for record in caplog.records}
    path = row(library, "b.mp4").path
    assert lines == {f"1 video has lost its frames: index them again ({path})"}
    assert framefind.open(library.uri).plan(clips).videos == 1
    report = framefind.open(library.uri).index(clips)
    assert (report.indexed, report.unchanged) == ([path], 3)
    assert found(library) == ALL
    assert library.status().lost == 0
    assert_same(content(library), before)
    assert library.index(clips).unchanged == 4


def test_rows_deleted_within_a_video_are_followed(library: Library) -> None:
    video_id = row(library, "d.mp4").video_id
    assert found(library) == ALL
    frames(library).delete(f"video_id = '{video_id}' and t > 3.5")
    assert found(library) == ALL | {"d.mp4": 4}
    assert library.status().lost == 0


def test_rows_changed_by_others_are_followed(library: Library) -> None:
    assert found(library) == ALL
    video_id = row(library, "a.mp4").video_id
    frames(library).update({"t": "t + 100"}, predicate=f"video_id = '{video_id}'")
    assert found(library) == ALL
    index = framefind.open(library.uri).vector_index.get()
    assert index.line_of(video_id).t.tolist() == [100, 101, 102, 103, 104, 105]


def test_tables_written_again_by_polars(library: Library, clips: Path) -> None:
    before = framefind.open(library.uri).search("a cat").moments
    for name in ("videos", "frames"):
        at = Tables(library.uri).address(name)
        pl.read_delta(at).write_delta(at, mode="overwrite")
    assert framefind.open(library.uri).search("a cat").moments == before
    assert all(library.thumbnails(before))
    assert library.index(clips).unchanged == 4
    library.maintain()
    assert framefind.open(library.uri).search("a cat").moments == before


def test_zorder_vacuum_and_our_own_compaction_change_nothing(library: Library) -> None:
    before = framefind.open(library.uri).search("a cat").moments
    frames(library).optimize.z_order(["t"])
    frames(library).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert framefind.open(library.uri).search("a cat").moments == before
    library.maintain()
    assert framefind.open(library.uri).search("a cat").moments == before


def test_rows_that_cannot_be_searched_stop_nothing(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    table = frames(library).to_pyarrow_table()
    mine = table.filter(pa.compute.equal(table["video_id"], row(library, "c.mp4").video_id))
    at = mine.column_names.index("embeddings")
    short = pa.array([[[1.0, 2.0]]] * len(mine), mine.schema.field(at).type)
    frames(library).delete(f"video_id = '{row(library, 'c.mp4').video_id}'")
    bad = mine.set_column(at, mine.schema.field(at), short)
    write_deltalake(frames(library).table_uri, bad, mode="append")
    assert found(library) == {name: count for name, count in ALL.items() if name != "c.mp4"}
    assert "another program must have written" in caplog.text


class TestDataFiles:
    @pytest.fixture
    def several(self, library: Library, clips: Path, tmp_path: Path) -> tuple[Library, Path, Path]:
        """A library of two data files, what the second was made of, and its path."""
        clip = tmp_path / "new.mp4"
        clip.write_bytes((clips / "a.mp4").read_bytes() + b"\0\0\0\x08free")
        old = {*Path(library.uri, "frames").glob("*.parquet")}
        library.index(clip)
        (path,) = {*Path(library.uri, "frames").glob("*.parquet")} - old
        return library, clip, path

    @pytest.mark.parametrize("kind", ["missing", "cut", "empty", "garbage"])
    def test_a_lost_one_costs_its_videos_only(
        self, several: tuple[Library, Path, Path], kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        library, clip, path = several
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[:-500], "garbage": bytes(500)}.get(kind, b""))
        if kind == "missing":
            path.unlink()
        assert found(library) == ALL | {"new.mp4": 6}  # by the index, which has them
        for entry in Path(library.uri, "index").glob("manifest.json"):
            entry.unlink()
        assert found(library) == ALL
        assert f"the data file {path.name} is {'missing' if kind == 'missing' else 'damaged'}" in (
            caplog.text
        )
        assert "1 video has lost its frames: index them again" in caplog.text
        assert library.status().lost == 1
        library.maintain()  # goes on with the others
        assert found(library) == ALL
        assert library.index(clip).indexed == [str(clip)]
        assert found(library) == ALL | {"new.mp4": 6}
        assert library.status().lost == 0
        library.maintain()
        assert path.name not in Tables(library.uri).frame_files()
        caplog.clear()
        assert found(library) == ALL | {"new.mp4": 6}
        assert caplog.text == ""

    def test_one_that_comes_back_is_read(self, several: tuple[Library, Path, Path]) -> None:
        library, _, path = several
        path.rename(path.with_suffix(".away"))
        Path(library.uri, "index", "manifest.json").unlink()
        assert found(library) == ALL
        path.with_suffix(".away").rename(path)
        assert found(library) == ALL | {"new.mp4": 6}

    def test_thumbnails_of_a_lost_one_are_none(self, several: tuple[Library, Path, Path]) -> None:
        library, _clip, path = several
        moments = library.search("a cat", limit=99).moments
        path.unlink()
        there = [os.path.basename(moment.path) != "new.mp4" for moment in moments]
        assert [jpeg is not None for jpeg in library.thumbnails(moments)] == there

    def test_a_lost_file_of_videos_is_named(self, library: Library) -> None:
        for path in Path(library.uri, "videos").glob("*.parquet"):
            path.unlink()
        for act in (library.videos, library.status, library.maintain):
            with pytest.raises(LibraryError, match=r"the data file .*\.parquet is missing"):
                act()
