"""Words that other programs, or a broken disk, have taken out of a library."""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

import framefind
from framefind import Library
from framefind.tables.tables import Tables

SRT = "1\n00:00:01,000 --> 00:00:02,000\nWhere is the laundromat?\n"


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of two videos; the words of `a.mp4` are in a data file of their own, the newest."""
    folder = tmp_path_factory.mktemp("captioned")
    library = framefind.open(folder / "whole.framefind")
    for name in ("b.mp4", "a.mp4"):
        shutil.copyfile(clips / name, folder / name)
        (folder / name).with_suffix(".srt").write_text(SRT)
        library.index(folder / name, read="subtitles")
    return library


@pytest.fixture
def captioned(whole: Library, tmp_path: Path) -> Library:
    """A copy of the test's own."""
    return framefind.open(shutil.copytree(whole.uri, tmp_path / "own.framefind"))


@pytest.fixture
def videos(whole: Library) -> Path:
    """The folder of the two videos."""
    return Path(whole.uri).parent


def read(library: Library, name: str) -> list[str]:
    return [cue.text for cue in library.words(name)]


def find(library: Library) -> set[str]:
    """Return the names of the videos that a quoted phrase finds, by a library opened again."""
    moments = framefind.open(library.uri).search('"laundromat"')
    return {Path(moment.path).name for moment in moments}


def forget_index(library: Library) -> None:
    shutil.rmtree(Path(library.uri, "index"))


def harm(library: Library, kind: str) -> None:
    """Harm the newest data file of cues."""
    newest = max(DeltaTable(Tables(library.uri).address("cues")).file_uris(), key=_modified)
    path = Path(newest)
    whole = path.read_bytes()
    middle = len(whole) // 3
    match kind:
        case "missing":
            path.unlink()
        case "cut":
            path.write_bytes(whole[:-500])
        case "flipped":
            path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 8]) + whole[middle + 1 :])


def _modified(path: str) -> int:
    return Path(path).stat().st_mtime_ns


@pytest.mark.parametrize("kind", ["missing", "cut", "flipped"])
def test_a_lost_file_costs_its_words_only_and_is_healed(
    captioned: Library, videos: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert find(captioned) == {"a.mp4", "b.mp4"}
    assert captioned.status().lost_words == 0
    harm(captioned, kind)
    assert find(captioned) == {"a.mp4", "b.mp4"}  # by the index, which has them
    assert caplog.text == ""
    assert read(captioned, "a.mp4") == []
    assert "some words are lost, index their videos again: the data file" in caplog.text
    assert read(captioned, "b.mp4") == ["Where is the laundromat?"]
    assert captioned.status().lost_words == 1
    caplog.clear()
    forget_index(captioned)
    assert find(captioned) == {"b.mp4"}
    assert "1 video has lost its words: index them again" in caplog.text
    assert captioned.maintain().unreadable == (kind != "flipped")  # it reads one column
    report = captioned.index(videos, read="subtitles")
    assert report.read == [str(videos / "a.mp4")]
    assert captioned.status().lost_words == 0
    caplog.clear()
    assert read(captioned, "a.mp4") == ["Where is the laundromat?"]
    assert find(captioned) == {"a.mp4", "b.mp4"}
    assert captioned.index(videos, read="subtitles").read == []
    assert caplog.text == ""
    assert captioned.maintain().unreadable == 0


def test_a_table_that_is_gone_is_written_again(captioned: Library, videos: Path) -> None:
    shutil.rmtree(Path(captioned.uri, "cues"))
    assert captioned.status().lost_words == 2
    assert captioned.remove("b.mp4", words="subtitles") == [str(videos / "b.mp4")]
    assert len(captioned.index(videos, read="subtitles").read) == 2
    assert read(captioned, "a.mp4") == ["Where is the laundromat?"]
    assert find(captioned) == {"a.mp4", "b.mp4"}


def test_rows_that_others_delete_and_files_that_come_back(captioned: Library, videos: Path) -> None:
    folder = Path(captioned.uri, "cues")
    away = folder.rename(folder.with_name("away"))
    forget_index(captioned)
    assert find(captioned) == set()
    away.rename(folder)
    assert captioned.index(videos, read="subtitles").read == []
    assert find(captioned) == {"a.mp4", "b.mp4"}
    DeltaTable(folder).delete()
    assert captioned.status().lost_words == 2
    assert len(captioned.index(videos, read="subtitles").read) == 2
    assert find(captioned) == {"a.mp4", "b.mp4"}
