"""Which paths may have changed: by events, by looking, and when folders come and go."""

import os
import threading

import pytest

from framefind.indexing import changes


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(changes, "_TICK_SECONDS", 0.02)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.05)


def follow(root, act, has_enough):
    """Return what is told in turn; `act` is called once the root is told the first time."""
    told: list[str] = []
    for number, paths in enumerate(changes.follow([str(root)], threading.Event())):
        told += paths
        if number == 3:
            act()
        if has_enough(told):
            return told
        assert number < 500, told
    return told


def nothing():
    """Change nothing."""


def test_the_root_comes_first_and_then_what_changes(tmp_path):
    file = tmp_path / "a" / "b.mp4"

    def make():
        file.parent.mkdir()
        file.write_text("x")

    told = follow(tmp_path, make, lambda told: str(file.parent) in told)
    assert told[0] == str(tmp_path)
    assert {*told} <= {str(tmp_path), str(file.parent), str(file)}


def test_a_folder_that_appears_is_looked_at_as_a_whole(tmp_path):
    root = tmp_path / "later"
    assert follow(root, root.mkdir, lambda told: len(told) == 2) == [str(root), str(root)]


def test_what_tells_nothing_is_looked_at_again_and_again(monkeypatch, tmp_path):
    file = tmp_path / "film.mp4"
    file.write_text("x")
    assert follow(file, nothing, lambda told: len(told) == 3) == [str(file)] * 3
    monkeypatch.setattr(changes, "is_far", lambda root: True)
    assert follow(tmp_path, nothing, lambda told: len(told) == 3) == [str(tmp_path)] * 3


def test_a_folder_whose_events_fail_is_looked_at(monkeypatch, tmp_path, caplog):
    def fail(*_, **__):
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", fail)
    assert follow(tmp_path, nothing, lambda told: len(told) == 3) == [str(tmp_path)] * 3
    (record,) = caplog.records
    assert "watch limit" in record.message
    assert str(tmp_path) in record.message


def test_events_that_failed_are_listened_for_again(monkeypatch, tmp_path, caplog):
    """It is said once why there are none, and looked at once at each turn."""
    monkeypatch.setattr(changes, "SWEEP_SECONDS", 0.1)
    listened = []

    def fail(*roots, **__):
        listened.append(roots)
        raise RuntimeError("a name that is not UTF-8")

    monkeypatch.setattr("watchfiles.watch", fail)
    follow(tmp_path, nothing, lambda _: len(listened) == 3)
    assert len(caplog.records) == 1


def test_a_folder_that_goes_while_it_is_listened_to_is_found_again(monkeypatch, tmp_path, caplog):
    root = tmp_path / "videos"
    root.mkdir()

    def fail(*roots, **__):
        monkeypatch.undo()
        root.rmdir()
        raise FileNotFoundError("No path was found.")

    monkeypatch.setattr("watchfiles.watch", fail)
    assert follow(root, root.mkdir, lambda told: len(told) == 2) == [str(root)] * 2
    assert not caplog.records


def test_names_that_did_not_come_whole_stand_for_their_folder():
    assert changes._readable("/a/b\ufffd/c\ufffd.mp4") == "/a"
    assert changes._readable(os.path.join("/a", "b.mp4")) == os.path.join("/a", "b.mp4")
