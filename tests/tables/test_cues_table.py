"""The table `cues`: published by the rows of videos, read by segment."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from framefind.tables import cues_table, maintenance
from framefind.tables.rows import CueRow, new_segment, segment_source
from framefind.tables.tables import Tables
from framefind.types import Cue
from rows import FINGERPRINT, publish, visible, whole

LIBRARIES = Path(__file__).with_name("libraries")
SIGN = Cue(1.0, 2.5, "LAUNDROMAT", "screen", box=(0.25, 0.5, 0.25, 0.125))
LINE = Cue(0.5, 1.5, "Ist hier ein Waschsalon?", "subtitles", "de")


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables.create(tmp_path / "a.framefind", FINGERPRINT)


def write_segment(tables: Tables, video_id: str, *cues: Cue) -> str:
    """Append the cues of one segment, not published."""
    segment = new_segment(cues[0].source)
    rows = [CueRow(video_id, segment, cue) for cue in cues]
    tables.publish(cues=tables.write_cues(rows))
    return segment


def read(tables: Tables, segments: set[str] | None = None) -> list[tuple[str, Cue]]:
    rows = [row for batch in tables.read_cues(segments) for row in batch.to_pylist()]
    return [(row.pop("video_id"), as_cue(row)) for row in rows]


def as_cue(row: dict) -> Cue:
    del row["segment"]
    return Cue(**row | {"box": row["box"] and tuple(row["box"])})


def test_cues_count_when_their_segment_is_published(tables: Tables) -> None:
    row = publish(tables, "a")
    signs = write_segment(tables, "a", SIGN)
    lines = write_segment(tables, "a", LINE, replace(LINE, start=0.25))
    assert read(tables) == []
    tables.publish(videos=[replace(row, cues=1, cue_segments=[signs], read=["screen/x"])])
    assert read(tables) == [("a", SIGN)]
    tables.publish(videos=[replace(row, cues=3, cue_segments=[signs, lines])])
    assert [cue.start for _, cue in read(tables, {lines})] == [0.25, 0.5]
    assert len(read(tables)) == 3
    assert visible(tables) == {"a": whole()}
    tables.publish(removed=["a"])
    assert read(tables) == []


def test_a_segment_tells_its_source() -> None:
    assert segment_source(new_segment("speech")) == "speech"


def test_files_without_a_segment_are_not_opened(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framefind.tables import data_files

    first, second = (write_segment(tables, name, SIGN) for name in "ab")
    opened = []
    real = data_files.read
    monkeypatch.setattr(data_files, "read", lambda *args: opened.append(args) or real(*args))
    assert read(tables, {second}) == [("b", SIGN)]
    assert len(opened) == 1
    assert read(tables, set()) == read(tables, {"unknown"}) == []
    assert read(tables, {first}) == [("a", SIGN)]


def test_an_older_library_has_no_cues_until_some_are_written(tmp_path: Path) -> None:
    tables = Tables.open(shutil.copytree(LIBRARIES / "schema-1", tmp_path / "library"))
    assert read(tables) == []
    row = next(row for row in tables.videos() if row.video_id == "a")
    assert (row.cues, row.cue_segments, row.read) == (0, [], [])
    segment = write_segment(tables, "a", LINE)
    tables.publish(videos=[replace(row, cues=1, cue_segments=[segment])])
    assert read(tables) == [("a", LINE)]
    assert DeltaTable(tables.address("cues")).metadata().configuration["framefind.schema"] == "1"


def test_upkeep_drops_what_is_not_published_and_keeps_the_rest(tables: Tables) -> None:
    row = publish(tables, "a")
    kept = write_segment(tables, "a", SIGN)
    forgotten = write_segment(tables, "a", LINE)
    tables.publish(videos=[replace(row, cue_segments=[kept, forgotten])])
    tables.publish(videos=[replace(row, cue_segments=[kept])])
    maintenance.maintain(tables)
    assert tables.count_cues() == {kept: 1, forgotten: 1}
    maintenance.purge(tables)
    assert tables.count_cues() == {kept: 1}
    assert read(tables) == [("a", SIGN)]
    files = {path.name for path in Path(tables.address("cues")).glob("*.parquet")}
    assert len(files) == 1


def test_many_small_files_become_one(tables: Tables) -> None:
    row = publish(tables, "a")
    segments = [write_segment(tables, "a", replace(SIGN, start=float(i))) for i in range(9)]
    tables.publish(videos=[replace(row, cue_segments=segments)])
    maintenance.tidy(tables)
    assert len(cues_table.find_files(tables.address("cues"))) == 1
    assert [cue.start for _, cue in read(tables)] == [float(i) for i in range(9)]


def test_what_was_forgotten_keeps_its_cues_until_it_is_purged(tables: Tables) -> None:
    row = publish(tables, "a")
    segment = write_segment(tables, "a", SIGN)
    tables.publish(videos=[replace(row, cue_segments=[segment])])
    tables.publish(removed=["a"], forgets=True)
    maintenance.maintain(tables)
    assert tables.count_cues() == {segment: 1}
    maintenance.purge(tables)
    assert tables.count_cues() == {}
