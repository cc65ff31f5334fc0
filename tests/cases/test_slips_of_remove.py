"""`remove` and `prune` as people mistype them: nothing is forgotten that was not meant."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import framefind
from conftest import write_clip
from framefind import FramefindError, QueryError
from terminal import run

pytestmark = pytest.mark.usefixtures("no_words")

CHOICE = {"sampler": "count=1", "views": "whole"}


@pytest.fixture(scope="module")
def indexed_films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of `films`, and a library of them; both for reading only."""
    folder = tmp_path_factory.mktemp("slips") / "films"
    write_clip(folder / "a[1].mp4", [9], 0.4)
    for seed in range(1, 6):
        write_clip(folder / f"{seed}.mp4", [seed], 0.4)
    library = framefind.open(folder.with_name("films.framefind"))
    library.index(folder, read="none", **CHOICE)
    return folder, Path(library.uri)


@pytest.fixture
def films(indexed_films: tuple[Path, Path], tmp_path: Path) -> Iterator[Path]:
    """Six films: `1.mp4` to `5.mp4` and `a[1].mp4`, beside which `a1.mp4` would be the seventh.

    They may be changed: each test has them as they were.
    """
    folder, _ = indexed_films
    originals = shutil.copytree(folder, tmp_path / "originals")
    yield folder
    for film in folder.iterdir():
        film.unlink()
    shutil.copytree(originals, folder, dirs_exist_ok=True)


@pytest.fixture
def library(films: Path, indexed_films: tuple[Path, Path], tmp_path: Path) -> framefind.Library:
    """A copy of the library of `films`, of the test's own."""
    return framefind.open(shutil.copytree(indexed_films[1], tmp_path / "l.framefind"))


def left(library: framefind.Library) -> list[str]:
    return [os.path.basename(row.path) for row in library.videos()]


@pytest.mark.parametrize("words", [[""], ["", "1.mp4"], ["1.mp4", " "]])
def test_an_empty_variable_is_wrong_usage(library, films, words, monkeypatch):
    monkeypatch.chdir(films)
    ended = run("remove", *words, "-l", library.uri)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "an empty name" in ended.stderr
    with pytest.raises(FramefindError, match="an empty name"):
        library.remove(words)
    assert len(left(library)) == 6


def test_an_empty_folder_is_not_indexed(tmp_path, films, monkeypatch):
    monkeypatch.chdir(films)
    assert run("index", "", "-l", tmp_path / "new").returncode == 2
    library = framefind.open(tmp_path / "new")
    for use in (library.index, library.plan):
        with pytest.raises(FramefindError, match="an empty name"):
            use("")
    assert not library.exists


def test_a_pattern_that_matches_nothing_says_so_and_nothing_goes(library):
    ended = run("remove", "1.mp4", "nosuch", "-l", library.uri)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "nosuch: no video of the library matches" in " ".join(ended.stderr.split())
    with pytest.raises(QueryError, match="nosuch"):
        library.remove(["1.mp4", "nosuch"])
    assert len(left(library)) == 6


def test_a_text_is_one_pattern_not_its_letters(library):
    with pytest.raises(QueryError, match=r"\*cat\.mp4"):
        library.remove("*cat.mp4")
    assert [os.path.basename(path) for path in library.remove("[12].mp4")] == ["1.mp4", "2.mp4"]
    assert [os.path.basename(row.path) for row in library.videos("3.mp4")] == ["3.mp4"]


def test_a_name_with_brackets_takes_no_other_along(library, films):
    write_clip(films / "a1.mp4", [10], 0.4)
    library.index(films, **CHOICE)
    ended = run("remove", "a[1].mp4", "-l", library.uri)
    assert ended.stdout == f"{films}/a[1].mp4\n"
    assert left(library) == ["1.mp4", "2.mp4", "3.mp4", "4.mp4", "5.mp4", "a1.mp4"]


class TestCopies:
    @pytest.fixture(scope="class")
    def indexed_copies(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
        """A library, and the two files of its one video; all for reading only."""
        folder = tmp_path_factory.mktemp("copies")
        one = write_clip(folder / "A" / "one.mp4", [1], 0.4)
        other = folder / "B" / "other.mp4"
        other.parent.mkdir()
        shutil.copy(one, other)
        library = framefind.open(folder / "l")
        library.index(one.parent, read="none", **CHOICE)
        assert library.index(other.parent, read="none", **CHOICE).copied == [str(other)]
        return Path(library.uri), one, other

    @pytest.fixture
    def copies(
        self, indexed_copies: tuple[Path, Path, Path], tmp_path: Path
    ) -> tuple[framefind.Library, Path, Path]:
        uri, one, other = indexed_copies
        return framefind.open(shutil.copytree(uri, tmp_path / "l")), one, other

    @pytest.mark.parametrize("which", [0, 1])
    @pytest.mark.parametrize("by", ["path", "folder", "glob"])
    def test_a_path_goes_and_the_video_stays(self, copies, which, by):
        library, *paths = copies
        pattern = {
            "path": paths[which],
            "folder": paths[which].parent,
            "glob": f"*/{paths[which].name}",
        }
        assert library.remove(pattern[by]) == [str(paths[which])]
        (row,) = library.videos()
        assert row.paths == [str(paths[1 - which])]
        assert library.search("a dog")[0].path == str(paths[1 - which])
        report = library.index(paths[1 - which].parent, **CHOICE)
        assert (report.copied, report.indexed) == ([], [])
        assert library.videos()[0].paths == row.paths
        assert library.index(paths[which].parent, **CHOICE).copied == [str(paths[which])]

    def test_the_video_goes_with_its_last_path(self, copies):
        library, one, other = copies
        library.remove(one)
        library.remove(other)
        assert library.videos() == []

    def test_an_id_stands_for_all_paths(self, copies):
        library, *paths = copies
        assert library.remove(library.videos()[0].video_id) == [str(path) for path in paths]
        assert library.videos() == []

    def test_it_is_said_that_the_video_stays(self, copies):
        library, one, other = copies
        ended = run("remove", other.parent, "-l", library.uri)
        assert ended.stdout == f"{other}\n"
        assert ended.stderr == f"1 path removed; its video stays as {one}\n"


class TestAsking:
    def test_a_dry_run_forgets_nothing(self, library, films):
        ended = run("remove", "*", "--dry-run", "-l", library.uri)
        assert ended.returncode == 0
        assert len(ended.stdout.splitlines()) == 6
        assert "6 videos would be removed" in ended.stderr
        assert library.remove("1.mp4", dry_run=True) == [f"{films}/1.mp4"]
        assert len(left(library)) == 6

    def test_a_script_that_would_forget_most_is_refused_without_yes(self, library, films):
        ended = run("remove", "[1-4].mp4", "-l", library.uri)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "4 of 6 videos would be forgotten" in ended.stderr
        assert "--yes" in ended.stderr
        assert len(left(library)) == 6
        assert run("remove", "[1-3].mp4", "-l", library.uri).returncode == 0
        assert len(left(library)) == 3
        assert run("remove", "*", "--yes", "-l", library.uri).returncode == 0
        assert left(library) == []

    def test_prune_is_refused_likewise(self, library, films):
        for number in range(1, 5):
            (films / f"{number}.mp4").unlink()
        assert run("prune", "-l", library.uri).returncode == 1
        assert len(left(library)) == 6
        assert run("prune", "--yes", "-l", library.uri).returncode == 0
        assert len(left(library)) == 2

    @pytest.mark.skipif(sys.platform == "win32", reason="wants a terminal")
    @pytest.mark.parametrize(("answer", "kept"), [(b"n\n", 12), (b"y\n", 0)])
    def test_a_terminal_is_asked_above_ten_videos(self, tmp_path, answer, kept):
        for seed in range(12):
            write_clip(tmp_path / "many" / f"{seed}.mp4", [seed], 0.2)
        library = framefind.open(tmp_path / "l")
        library.index(tmp_path / "many", **CHOICE)
        master, terminal = pty.openpty()
        os.write(master, answer)
        ended = subprocess.run(
            [sys.executable, "-m", "framefind.cli", "remove", "*", "-l", library.uri],
            stdin=terminal,
            capture_output=True,
            text=True,
        )
        os.close(master)
        os.close(terminal)
        assert "Forget 12 of 12 videos?" in ended.stderr
        assert len(ended.stdout.splitlines()) >= 12
        assert ended.returncode == (1 if kept else 0)
        assert len(left(library)) == kept


def test_answers_name_a_path_that_can_be_opened(tmp_path):
    one = write_clip(tmp_path / "A" / "one.mp4", [1], 0.4)
    other = tmp_path / "B" / "other.mp4"
    other.parent.mkdir()
    shutil.copy(one, other)
    library = framefind.open(tmp_path / "l")
    library.index([one.parent, other.parent], **CHOICE)
    (row,) = library.videos()
    first, second = map(Path, row.paths)
    for away, there in ((None, first), (first, second), (second, first)):
        if away:
            away.parent.rename(tmp_path / "off")
        assert library.search("a dog")[0].path == str(there)
        found = library.search("a dog", by="video").videos
        assert found is not None
        assert found[0].path == str(there)
        assert library.frame(str(first), 0.0).shape == (120, 160, 3)
        assert len(library.search(image=f"{first}@0#0,0,0.5,0.5")) == 1
        assert library.prune() == []
        if away:
            (tmp_path / "off").rename(away.parent)
