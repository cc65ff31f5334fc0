"""An index belongs to one library by its identity, not to an address and two version numbers."""

import os
import shutil
from pathlib import Path

import pytest

import framefind
from conftest import write_clip
from framefind import Library
from framefind.index.refresh import CurrentIndex
from framefind.server.state import LibraryState
from framefind.tables.tables import Tables

pytestmark = pytest.mark.usefixtures("no_words")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two libraries of one clip each, with the same versions of their tables."""
    folder = tmp_path_factory.mktemp("two")
    made = []
    for seed, name in enumerate(("one", "two")):
        library = framefind.open(folder / name)
        library.index(write_clip(folder / f"{name}.mp4", [seed + 40]), views="whole")
        made.append(Path(library.uri))
    assert Tables.open(made[0]).versions() == Tables.open(made[1]).versions()
    return made[0], made[1]


def names(library: Library | str | Path) -> list[str]:
    opened = library if isinstance(library, Library) else framefind.open(library)
    return [os.path.basename(moment.path) for moment in opened.search("a cat")]


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No library can be written; gives the user's cache folder, which can be."""
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "cache" in os.fspath(path) and real(path, mode)
    )
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


def put(library: Path, at: Path, index: bool = False) -> None:
    """Put a copy in the place of whatever is there."""
    shutil.rmtree(at, ignore_errors=True)
    shutil.copytree(library, at)
    if not index:
        shutil.rmtree(at / "index")


@pytest.mark.parametrize("index", [False, True])
def test_at_the_same_address(two: tuple[Path, Path], tmp_path: Path, index: bool) -> None:
    at = tmp_path / "l"
    put(two[0], at, index)
    opened = framefind.open(at)
    shelf = LibraryState(opened)
    shelf.refresh()
    assert names(opened) == ["one.mp4"]
    put(two[1], at, index)
    assert names(opened) == ["two.mp4"]
    assert names(at) == ["two.mp4"]
    shelf.refresh()
    assert [os.path.basename(row.path) for row in shelf.rows] == ["two.mp4"]


def test_its_tables_only(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Copied over another library, the index of the other one stays."""
    at = tmp_path / "l"
    put(two[0], at, index=True)
    for table in ("videos", "frames"):
        shutil.rmtree(at / table)
        shutil.copytree(two[1] / table, at / table)
    assert names(at) == ["two.mp4"]


def test_a_read_only_library(two: tuple[Path, Path], tmp_path: Path, read_only: Path) -> None:
    at = tmp_path / "l"
    for at_first, name in ((0, "one.mp4"), (1, "two.mp4"), (0, "one.mp4")):
        put(two[at_first], at)
        assert names(at) == [name]
        assert not (at / "index").exists()
    kept = list(read_only.glob("framefind/index/*/*/manifest.json"))
    assert len(kept) == 2  # each library keeps its own


def test_a_read_only_library_answers_from_its_own_index(
    two: tuple[Path, Path], tmp_path: Path, read_only: Path
) -> None:
    put(two[0], tmp_path / "l", index=True)
    assert names(tmp_path / "l") == ["one.mp4"]
    assert not read_only.exists()


def test_copies_that_differ_later(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The tables of a copy have the same ids, and later by chance the same versions."""
    at = tmp_path / "l"
    for kept in ("x", "y"):
        put(two[0], tmp_path / kept)
        clip = write_clip(tmp_path / f"{kept}.mp4", [ord(kept)])
        framefind.open(tmp_path / kept).index(clip, views="whole")
    opened = framefind.open(at)
    for kept in ("x", "y", "x"):
        put(tmp_path / kept, at)
        assert sorted(names(opened)) == ["one.mp4", f"{kept}.mp4"]


def test_copies_that_differ_later_in_the_cache(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = tmp_path / "l"
    for kept in ("x", "y"):
        put(two[0], tmp_path / kept)
        clip = write_clip(tmp_path / f"{kept}.mp4", [ord(kept)])
        framefind.open(tmp_path / kept).index(clip, views="whole")
    monkeypatch.setattr(CurrentIndex, "_is_writable", False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for kept in ("x", "y", "x"):
        put(tmp_path / kept, at)
        assert sorted(names(at)) == ["one.mp4", f"{kept}.mp4"]


def test_a_temporary_folder_where_nothing_can_be_written(
    two: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(two[0], tmp_path / "l")
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(CurrentIndex, "_is_writable", False)
    assert names(tmp_path / "l") == ["one.mp4"]
    assert len([one for one in caplog.records if "built again each time" in one.message]) == 1
    assert not (tmp_path / "l" / "index").exists()


def test_on_an_object_store(two: tuple[Path, Path], tmp_path: Path) -> None:
    """By a URI, where versions are looked up otherwise."""
    at = tmp_path / "l"
    put(two[0], at)
    opened = framefind.open(f"file://{at}")
    assert names(opened) == ["one.mp4"]
    put(two[1], at)
    opened.vector_index.get(now=True)
    assert names(opened) == ["two.mp4"]
    assert names(f"file://{at}") == ["two.mp4"]
    framefind.open(at).index(write_clip(tmp_path / "x.mp4", [77]), views="whole")
    opened.vector_index.get(now=True)
    assert sorted(names(opened)) == ["two.mp4", "x.mp4"]
    put(two[0], at)  # whose versions are lower
    opened.vector_index.get(now=True)
    assert names(opened) == ["one.mp4"]
