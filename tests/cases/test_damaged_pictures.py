"""Thumbnails that other programs or a broken disk have damaged: told, never shown, made again."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

import framefind
from conftest import assert_same, content, write_clip
from framefind import Library
from framefind.cli.checks import run_checks
from framefind.cli.main import app
from framefind.tables.tables import Tables


def data_files(library: Library) -> list[Path]:
    return [Path(library.uri, "frames", name) for name in Tables(library.uri).frame_files()]


def flip(library: Library) -> None:
    """Flip a bit in the first picture of each data file."""
    for file in data_files(library):
        stored = bytearray(file.read_bytes())
        stored[stored.index(b"\xff\xd8\xff") + 500] ^= 1
        file.write_bytes(stored)


def cut(library: Library) -> None:
    """Cut all pictures short, as another program may."""
    table = DeltaTable(Tables(library.uri).address("frames"))
    rows = table.to_pyarrow_table()
    short = pa.array([picture[:-9] for picture in rows["thumbnail"].to_pylist()], pa.binary())
    changed = rows.set_column(rows.column_names.index("thumbnail"), "thumbnail", short)
    write_deltalake(table.table_uri, changed, mode="overwrite")


def delete(library: Library) -> None:
    for file in data_files(library):
        file.unlink()


def replace(library: Library) -> None:
    """Put a data file of another library in the place of this one's."""
    other = framefind.open(f"{library.uri}.other")
    other.index(write_clip(Path(f"{library.uri}.clips", "other.mp4"), [77]))
    for file in data_files(library):
        file.write_bytes(data_files(other)[0].read_bytes())


KINDS = [flip, cut, delete, replace]
Damage = Callable[[Library], None]


@pytest.mark.parametrize("damage", KINDS)
def test_are_told_and_made_again(
    damage: Damage, library: Library, clips: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(library)
    moments = library.search("a cat", limit=99).moments
    damage(library)
    opened = framefind.open(library.uri)
    found = opened.search("a cat", limit=99).moments
    assert [moment.path for moment in found] == [moment.path for moment in moments]
    assert None in opened.thumbnails(found)
    assert re.search(r"pictures? (is|are) lost: index its video again \(.*\.mp4\)", caplog.text)
    assert opened.status().lost_pictures >= 1
    assert len(opened.index(clips).indexed) == 4
    assert None not in opened.thumbnails(opened.search("a cat", limit=99).moments)
    assert opened.status().lost_pictures == 0
    opened.maintain()
    assert_same(content(opened), before)


@pytest.mark.parametrize("damage", KINDS)
def test_are_found_by_whoever_checks(
    damage: Damage, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library.status().lost_pictures == 0
    damage(library)
    monkeypatch.setattr("framefind.cli.checks._check_model", lambda device: "")
    checks = {name: (passed, text) for name, passed, text in run_checks(library.uri, "auto")}
    passed, text = checks["library"]
    assert not passed
    assert re.search(r"lost (its|their) pictures: index them again", text)
    assert "pictures" in CliRunner().invoke(app, ["status", "--library", library.uri]).stdout


def test_upkeep_finds_them_too(library: Library) -> None:
    flip(library)
    library.maintain()
    assert library.status().lost_pictures >= 1


@pytest.mark.parametrize("to", ["html", "pdf"])
def test_nothing_that_draws_them_breaks(to: str, library: Library, tmp_path: Path) -> None:
    cut(library)
    moments = library.search("a cat", limit=99).moments
    out = tmp_path / f"report.{to}"
    assert library.export(moments, to, out).files == [str(out)]
    sheet = tmp_path / "sheet.png"
    told = CliRunner().invoke(
        app, ["search", "a cat", "--sheet", str(sheet), "--library", library.uri]
    )
    assert told.exit_code == 0
    assert sheet.exists()


def test_a_file_that_comes_back_is_no_loss(library: Library, clips: Path) -> None:
    files = data_files(library)
    for file in files:
        file.rename(file.with_suffix(".away"))
    assert None in library.thumbnails(library.search("a cat", limit=99).moments)
    for file in files:
        file.with_suffix(".away").rename(file)
    assert library.index(clips).unchanged == 4
    assert library.status().lost_pictures == 0
