import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from framefind.files.names import is_library, native_path, stored_path
from framefind.indexing.walk import walk

NAMES = ["a b.mp4", "line\nbreak.mp4", "tab\t.mp4", "🎬.mp4", "100%.mp4", "%FF.mp4", "[1].mp4"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.mkv", "notes.txt", "sub/c.mp4", "sub/deep/d.mp4", ".trash/e.mp4"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def found(*paths: Path | str, **patterns: list[str]) -> list[str]:
    return [os.path.basename(file.path) for file in walk(paths, **patterns)]


class TestWalk:
    @linux
    def test_bytes_that_are_not_utf8(self, tmp_path):
        raw = os.fsdecode(os.path.join(os.fsencode(tmp_path.resolve()), b"caf\xe9 100%.mp4"))
        Path(raw).touch()
        (file,) = walk([tmp_path])
        assert file.path == raw

    @linux
    def test_a_name_that_is_stored_as_another_is_an_error(self, tmp_path):
        raw = os.fsdecode(os.path.join(os.fsencode(tmp_path.resolve()), b"caf\xe9.mp4"))
        Path(raw).touch()
        (tmp_path / "caf%E9.mp4").touch()
        files = {os.path.basename(file.path): file.error for file in walk([tmp_path])}
        assert files["caf%E9.mp4"] is None
        assert "rename one" in files[os.fsdecode(b"caf\xe9.mp4")]

    def test_at_any_depth_in_order_without_hidden_folders(self, tree):
        assert found(tree) == ["a.mkv", "b.mp4", "notes.txt", "c.mp4", "d.mp4"]
        assert found(tree / ".trash") == ["e.mp4"]

    def test_gives_size_and_modified_time(self, tree):
        os.utime(tree / "b.mp4", ns=(0, 1_234_567_891_000))
        (file,) = walk([tree / "b.mp4"])
        assert (file.size, file.modified, file.named, file.error) == (5, 1_234_567_891, True, None)
        assert not any(file.named for file in walk([tree]))

    def test_each_file_once(self, tree):
        (tree / "again.mp4").symlink_to(tree / "b.mp4")
        (tree / "sub" / "up").symlink_to(tree)
        (tree / "sub" / "itself").symlink_to("itself")
        paths = [file.path for file in walk([tree / "b.mp4", tree, tree / "sub"])]
        assert len(set(paths)) == len(paths)
        names = [os.path.basename(path) for path in paths]
        assert names.count("b.mp4") == names.count("d.mp4") == 1
        assert "again.mp4" not in names

    def test_a_link_to_a_folder_elsewhere_is_followed(self, tree, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        (other / "far.mp4").touch()
        (tree / "link").symlink_to(other)
        assert str((other / "far.mp4").resolve()) in [file.path for file in walk([tree])]

    def test_libraries_are_skipped(self, tree):
        for table in ("videos", "frames"):
            (tree / "my" / table / "_delta_log").mkdir(parents=True)
            (tree / "my" / table / "data.parquet").touch()
        assert is_library(str(tree / "my"))
        assert "data.parquet" not in found(tree)

    @pytest.mark.parametrize(
        ("glob", "exclude", "expected"),
        [
            (["*.mp4"], [], ["b.mp4", "c.mp4", "d.mp4"]),
            (["*.mp4", "*.mkv"], ["sub/*"], ["a.mkv", "b.mp4"]),
            (["sub/*"], ["*/deep/*"], ["c.mp4"]),
            ([], ["*.txt", "[ab].*"], ["c.mp4", "d.mp4"]),
        ],
    )
    def test_patterns_match_names_and_paths(self, tree, glob, exclude, expected, tmp_path_factory):
        assert found(tree, glob=glob, exclude=exclude) == expected
        link = tmp_path_factory.mktemp("links") / "link"
        link.symlink_to(tree)
        assert found(link, glob=glob, exclude=exclude) == expected
        assert found(tree / "notes.txt", glob=glob, exclude=exclude) == ["notes.txt"]

    @pytest.mark.parametrize(
        "exclude", ["sub", "sub/", "./sub", "{}/sub", "{}/sub/", "deep/../sub"]
    )
    def test_a_folder_is_all_below_it(self, tree, exclude):
        pattern = exclude.format(tree)
        assert found(tree, exclude=[pattern]) == ["a.mkv", "b.mp4", "notes.txt"]
        if pattern != "x/../sub":
            assert found(tree, glob=[pattern]) == ["c.mp4", "d.mp4"]
        assert found(tree, exclude=["deep"]) == ["a.mkv", "b.mp4", "notes.txt", "c.mp4"]
        assert found(tree, exclude=["su*/"]) == ["a.mkv", "b.mp4", "notes.txt"]

    def test_what_exists_is_no_glob(self, tree):
        for name in ("[b].mp4", "sub/[c].mp4", "[s]ub/x.mp4"):
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).touch()
        kept = ["[b].mp4", "a.mkv", "b.mp4", "notes.txt", "x.mp4", "[c].mp4", "c.mp4", "d.mp4"]
        assert found(tree) == kept
        for pattern, gone in (("[b].mp4", 0), ("sub/[c].mp4", 5), ("[s]ub", 4), ("[s]ub/*", 4)):
            assert found(tree, exclude=[pattern]) == kept[:gone] + kept[gone + 1 :]

    def test_patterns_are_paths_as_people_type_them(self, tree, tmp_path_factory, monkeypatch):
        home = tmp_path_factory.mktemp("home")
        (home / "link").symlink_to(tree)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.chdir(tree.parent)
        for start in ("~/link", str(home / "link"), tree.name, f"./{tree.name}"):
            assert found(tree, glob=[f"{start}/*.mp4"]) == ["b.mp4", "c.mp4", "d.mp4"]
            assert found(tree, exclude=[f"{start}/sub"]) == ["a.mkv", "b.mp4", "notes.txt"]

    def test_names_compare_in_nfc(self, tmp_path):
        (tmp_path / "Ma\u0308dchen.mp4").touch()
        for pattern in ("M\xe4dchen.mp4", "Ma\u0308dchen.mp4", "*\xe4*", str(tmp_path / "M\xe4*")):
            assert found(tmp_path, glob=[pattern]) == ["Ma\u0308dchen.mp4"]
            assert found(tmp_path, exclude=[pattern]) == []

    @linux
    def test_patterns_of_names_that_are_not_utf8(self, tmp_path):
        raw = os.fsdecode(b"caf\xe9.mp4")
        (tmp_path / raw).touch()
        for pattern in (raw, "caf%E9.mp4", "caf*"):
            assert found(tmp_path, exclude=[pattern]) == []

    @pytest.mark.parametrize(
        "folder", ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found", ".Trash-1000"]
    )
    def test_folders_of_the_system_are_passed_over(self, tree, folder):
        (tree / "sub" / folder / "deep").mkdir(parents=True)
        (tree / "sub" / folder / "deep" / "x.mp4").touch()
        assert "x.mp4" not in found(tree)
        assert found(tree / "sub" / folder) == found(tree / "sub" / folder / "deep") == ["x.mp4"]

    @pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no disk that holds any date")
    @pytest.mark.parametrize("year", [-5, 1, 1600, 1969, 2263, 9999, 12000])
    def test_any_date(self, year):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            (Path(folder) / "a.mp4").touch()
            os.utime(Path(folder) / "a.mp4", (0, round((year - 1970) * 31556952)))
            (file,) = walk([folder])
        modified = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=file.modified)
        assert abs(modified.year - min(max(year, 1), 9999)) <= 1
        modified.astimezone(timezone(timedelta(hours=14)))
        modified.astimezone(timezone(timedelta(hours=-14)))

    def test_what_is_missing_comes_with_an_error(self, tmp_path):
        (file,) = walk([tmp_path / "nothing.mp4"])
        assert file.error == "No such file or directory"
        assert file.path == str(tmp_path.resolve() / "nothing.mp4")

    def test_a_dangling_link_comes_with_an_error(self, tmp_path):
        (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing")
        assert [file.error for file in walk([tmp_path])] == ["No such file or directory"]

    @pytest.mark.parametrize("name", NAMES)
    def test_odd_names(self, tmp_path, name):
        (tmp_path / name).touch()
        (file,) = walk([tmp_path])
        assert file.path == str(tmp_path.resolve() / name)
        assert native_path(stored_path(file.path)) == file.path
