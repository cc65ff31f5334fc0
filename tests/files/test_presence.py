import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from framefind.files.presence import Absent, Presence
from framefind.reports import Offline
from framefind.types import Video


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "index" / "roots.json"


def files(*paths: Path) -> list[str]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [str(path) for path in paths]


def learned(memory: Path, folders: Iterable[Path], paths: list[str]) -> Presence:
    """What a later process can tell, after the folders were indexed."""
    presence = Presence(memory, paths)
    presence.learn(map(str, folders), paths)
    presence.save()
    return Presence(memory, paths)


def reasons(absent: Absent) -> set[tuple[str, str]]:
    return {(one.root, one.reason) for one in absent.offline.values()}


class TestFindAbsent:
    def test_what_is_missing_from_a_root_that_is_there_is_gone(self, tmp_path, memory):
        kept, *gone = files(tmp_path / "v" / "a", tmp_path / "v" / "b", tmp_path / "v/c/d/e")
        presence = learned(memory, [tmp_path / "v"], [kept, *gone])
        os.unlink(gone[0])
        shutil.rmtree(tmp_path / "v" / "c")
        assert presence.find_absent([kept, *gone]) == Absent({*gone})

    @pytest.mark.parametrize("left", [None, "", "mount", ".hidden", "file"])
    def test_a_root_that_is_missing_or_empty_hides_its_files(self, tmp_path, memory, left):
        root = tmp_path / "v"
        paths = files(root / "a", root / "b" / "c")
        presence = learned(memory, [root], paths)
        shutil.rmtree(root)
        if left == "file":
            root.touch()
        elif left is not None:
            (root / left if left.startswith(".") else root).mkdir(parents=True)
        absent = presence.find_absent(paths)
        assert absent.gone == set()
        reason = "it is not there" if left in (None, "file") else "it is empty"
        assert reasons(absent) == {(str(root), reason)}

    def test_another_device_hides_what_is_missing(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a", tmp_path / "v" / "b")
        learned(memory, [tmp_path / "v"], paths)
        known = json.loads(memory.read_text())
        known[str(tmp_path / "v")]["device"] += 1  # as that of another disk
        memory.write_text(json.dumps(known))
        os.unlink(paths[0])
        absent = Presence(memory, paths).find_absent(paths)
        assert absent.offline.keys() == {paths[0]}
        assert reasons(absent) == {(str(tmp_path / "v"), "it is on another device than before")}
        learned(memory, [tmp_path / "v"], paths[1:])  # indexed again: that is the device now
        assert Presence(memory, paths).find_absent(paths) == Absent({paths[0]})

    def test_of_two_roots_one_is_away(self, tmp_path, memory):
        paths = files(tmp_path / "v/a", tmp_path / "v/b", tmp_path / "w/c", tmp_path / "w/d")
        presence = learned(memory, [tmp_path / "v", tmp_path / "w"], paths)
        shutil.rmtree(tmp_path / "v")
        os.unlink(paths[2])
        absent = presence.find_absent(paths)
        assert (absent.gone, absent.offline.keys()) == ({paths[2]}, {*paths[:2]})

    def test_a_mount_point_below_a_root_is_a_root(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a", tmp_path / "v" / "usb" / "b")
        learned(memory, [tmp_path / "v"], paths)
        known = json.loads(memory.read_text())
        known[str(tmp_path / "v" / "usb")] = {"device": 7, "named": False}
        memory.write_text(json.dumps(known))
        os.unlink(paths[1])
        absent = Presence(memory, paths).find_absent(paths)
        assert reasons(absent) == {(str(tmp_path / "v" / "usb"), "it is empty")}

    @pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="wants a second file system")
    def test_a_file_system_below_a_root_is_learned(self, memory):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            (path,) = files(Path(folder, "deep", "a"))
            presence = Presence(memory, [path])
            presence.learn(["/dev"], [path])
            presence.save()
            assert json.loads(memory.read_text()).keys() == {"/dev", "/dev/shm"}

    def test_a_file_that_was_named_has_its_folder_for_a_root(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a", tmp_path / "v" / "b")
        presence = learned(memory, map(Path, paths[:1]), paths[:1])
        os.unlink(paths[0])
        assert presence.find_absent(paths[:1]).gone == {paths[0]}
        shutil.rmtree(tmp_path / "v")
        assert presence.find_absent(paths[:1]).offline.keys() == {paths[0]}

    def test_a_folder_of_named_files_counts_no_more_once_one_above_is_named(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a", tmp_path / "v" / "b" / "c")
        learned(memory, [], paths[1:])
        presence = learned(memory, [tmp_path / "v"], paths)
        shutil.rmtree(tmp_path / "v" / "b")
        assert presence.find_absent(paths) == Absent({paths[1]})

    @pytest.mark.parametrize("content", [None, "", "[]", '{"/": 1}'])
    def test_without_the_memory_a_folder_must_hold_another_video(self, tmp_path, memory, content):
        paths = files(tmp_path / "v/a", tmp_path / "v/b", tmp_path / "w/c", tmp_path / "w/note")
        if content is not None:
            memory.parent.mkdir()
            memory.write_text(content)
        presence = Presence(memory, paths[:3])
        os.unlink(paths[0])
        os.unlink(paths[2])
        absent = presence.find_absent(paths[:3])
        assert absent.gone == {paths[0]}
        assert reasons(absent) == {(str(tmp_path / "w"), "it holds none of its videos")}
        shutil.rmtree(tmp_path / "v")
        assert reasons(presence.find_absent(paths[:2])) == {
            (str(tmp_path / "v"), "it is not there")
        }

    def test_a_folder_that_may_not_be_entered(self):
        """In a process without root's rights."""
        script = (
            "import os, sys; from pathlib import Path\n"
            "from framefind.files.presence import Presence\n"
            "os.geteuid() or os.setuid(65534)\n"
            "absent = Presence(Path(sys.argv[1]), sys.argv[2:]).find_absent(sys.argv[2:])\n"
            "print(len(absent.gone), *{(one.root, one.reason) for one in absent.offline.values()})"
        )
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            paths = files(Path(folder, "v/sub/a"), Path(folder, "v/sub/deep/b"))
            learned(Path(folder, "roots.json"), [Path(folder, "v")], paths)
            locked = Path(folder, "v", "sub")
            locked.chmod(0)
            try:
                said = subprocess.run(
                    [sys.executable, "-c", script, f"{folder}/roots.json", *paths],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            finally:
                locked.chmod(0o755)
        assert said == f"0 ('{locked}', 'permission denied')\n"


def test_roots_without_videos_are_forgotten(tmp_path, memory):
    paths = files(tmp_path / "v" / "a", tmp_path / "w" / "b")
    learned(memory, [tmp_path / "v", tmp_path / "w"], paths)
    presence = Presence(memory, paths[:1])
    presence.save()
    assert json.loads(memory.read_text()).keys() == {str(tmp_path / "v")}


def test_a_video_is_as_present_as_its_best_file():
    absent = Absent({"gone"}, {"away": Offline("/disk", "why")})
    videos = {name: Video(video_id=name, path=name) for name in ("here", "gone", "away")}
    copied = Video(video_id="x", path="gone", copies=["away"])
    saved = Video(video_id="y", path="away", copies=["here"])
    assert [name for name, video in videos.items() if absent.has_lost(video)] == ["gone"]
    assert not absent.has_lost(copied)
    assert absent.hides(copied) == absent.hides(videos["away"]) == Offline("/disk", "why")
    assert absent.hides(saved) is absent.hides(videos["here"]) is None
    assert absent.roots([*videos.values(), copied, saved]) == [Offline("/disk", "why", 2)]


class TestMayReturn:
    def test_a_folder_that_was_renamed_does_not(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a")
        presence = learned(memory, [tmp_path / "v"], paths)
        (tmp_path / "v").rename(tmp_path / "w")
        assert not presence.may_return(paths[0])

    def test_a_disk_that_was_taken_away_does(self, tmp_path, memory):
        paths = files(tmp_path / "v" / "a")
        learned(memory, [tmp_path / "v"], paths)
        memory.write_text(memory.read_text().replace('"device": ', '"device": 1'))
        shutil.rmtree(tmp_path / "v")
        assert Presence(memory, paths).may_return(paths[0])
