import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framefind.indexing.decide import Catalog
from framefind.indexing.walk import File
from framefind.types import Offline, Video

EVERY, TILES = "every=1.0", "tiles"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(path: Path, video_id: str = "x", **changes: object) -> Video:
    facts = path.stat()
    modified = datetime.fromtimestamp(0, UTC).replace(microsecond=0)
    values: dict[str, object] = {
        "video_id": video_id,
        "path": str(path),
        "size": facts.st_size,
        "modified": modified,
        "sampler": EVERY,
        "views": TILES,
        "segments": ["s"],
        "frames": 3,
        "indexed_until": 2.0,
        "status": "indexed",
        "indexed_at": NOW,
    }
    return Video(**values | changes)  # type: ignore[arg-type]


def made(path: Path, text: str = "film") -> Path:
    path.write_text(text)
    os.utime(path, (0, 0))
    return path


def file(path: Path, **changes: object) -> File:
    facts = path.stat()
    values = {"size": facts.st_size, "modified": facts.st_mtime_ns // 1000}
    return File(str(path), **values | changes)  # type: ignore[arg-type]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "index" / "files.json"


class TestLook:
    @pytest.mark.parametrize(
        ("changes", "facts", "retry", "verdict"),
        [
            ({}, {}, False, "unchanged"),
            ({"status": "partial"}, {}, True, "unchanged"),
            ({"status": "indexing"}, {}, False, "decode"),
            ({"status": "failed"}, {}, False, "failed"),
            ({"status": "failed"}, {}, True, "decode"),
            ({"status": "failed"}, {"size": 5}, False, "decode"),
            ({"sampler": "keyframes"}, {}, False, "decode"),
            ({"views": "whole"}, {}, False, "decode"),
            ({}, {"size": 5}, False, "decode"),
            ({}, {"modified": 5}, False, "decode"),
        ],
    )
    def test_verdicts(self, tmp_path, memory, changes, facts, retry, verdict):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path, **changes)], memory, EVERY, TILES, retry)
        assert catalog.look(file(path, **facts)) == verdict

    def test_what_is_not_a_video_is_remembered_unless_it_is_named(self, tmp_path, memory):
        path = made(tmp_path / "a.txt")
        catalog = Catalog([], memory, EVERY, TILES)
        assert catalog.look(file(path)) == "decode"
        catalog.pass_over(file(path))
        catalog.save()
        again = Catalog([], memory, EVERY, TILES)
        assert again.look(file(path)) == "passed over"
        assert again.look(file(path, named=True)) == "decode"
        assert again.look(file(path, modified=9)) == "decode"


class TestClaim:
    def test_a_new_video_begins_at_the_beginning(self, tmp_path, memory):
        catalog = Catalog([], memory, EVERY, TILES)
        claim = catalog.claim(file(made(tmp_path / "a.mp4")), "x")
        assert (claim.what, claim.start, claim.row.segments) == ("decode", -math.inf, [])
        assert catalog.take_changes() == []

    def test_a_half_indexed_one_goes_on(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        half = row(path, status="indexing")
        claim = Catalog([half], memory, EVERY, TILES).claim(file(path), "x")
        assert (claim.what, claim.start) == ("decode", math.nextafter(2.0, 3.0))
        other = Catalog([half], memory, "keyframes", TILES).claim(file(path), "x")
        assert (other.what, other.start) == ("decode", -math.inf)

    @pytest.mark.parametrize(
        ("name", "gone", "what"),
        [("a.mp4", False, "touched"), ("b.mp4", True, "moved"), ("b.mp4", False, "copied")],
    )
    def test_a_known_one_is_not_decoded(self, tmp_path, memory, name, gone, what):
        first = made(tmp_path / "a.mp4")
        catalog = Catalog([row(first)], memory, EVERY, TILES)
        path = made(tmp_path / name)
        if gone:
            first.unlink()
        assert catalog.claim(file(path), "x").what == what
        (changed,) = catalog.take_changes()
        expected = str(first) if what == "copied" else str(path)
        assert (changed.path, changed.segments) == (expected, ["s"])
        assert changed.copies == ([str(path)] if what == "copied" else [])
        assert catalog.look(file(path)) == "unchanged"
        assert catalog.settle() == []


class TestFail:
    def test_is_noted(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([], memory, EVERY, TILES)
        catalog.fail(file(path), "x", "why")
        (changed,) = catalog.take_changes()
        assert (changed.status, changed.error, changed.path) == ("failed", "why", str(path))
        assert catalog.look(file(path)) == "failed"

    def test_hides_nothing_of_a_file_that_cannot_be_read(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        gone = file(path, size=9)
        path.unlink()
        catalog.fail(gone, "y", "why")
        assert catalog.take_changes() == []
        assert catalog.settle() == []

    def test_replaces_what_had_another_content(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        catalog.fail(file(path, size=9), "y", "why")
        assert [changed.video_id for changed in catalog.take_changes()] == ["y"]
        assert catalog.settle() == ["x"]

    def test_hides_nothing_of_the_same_content(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        catalog.fail(file(path), "x", "why")
        assert catalog.take_changes() == []


class TestPassOver:
    def test_a_video_that_is_none_any_more_is_gone(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        catalog.pass_over(file(path, size=9))
        assert catalog.settle() == ["x"]
        assert catalog.look(file(path, size=9)) == "passed over"


class TestCopies:
    def test_a_copy_alone_is_indexed_with_another_sampler(self, tmp_path, memory):
        path, copy = made(tmp_path / "a.mp4"), made(tmp_path / "b.mp4")
        catalog = Catalog([row(path)], memory, "every=2.0", TILES)
        assert catalog.claim(file(copy), "x").what == "decode"
        assert catalog.claim(file(path), "x").row.copies == [str(copy)]


class TestSettle:
    def test_a_video_whose_path_was_taken_is_gone(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        catalog.claim(file(path, size=9), "y")
        assert catalog.settle() == ["x"]

    @pytest.mark.parametrize("how", ["taken", "gone"])
    def test_or_lives_on_in_a_copy_that_is_there(self, tmp_path, memory, how):
        path, copy = made(tmp_path / "a.mp4"), made(tmp_path / "c.mp4")
        copies = [str(tmp_path / "b.mp4"), str(copy)]
        catalog = Catalog([row(path, copies=copies)], memory, EVERY, TILES)
        if how == "taken":
            catalog.claim(file(path, size=9), "y")
        else:
            path.unlink()
        assert catalog.settle() == []
        (changed,) = catalog.take_changes()
        assert (changed.video_id, changed.path, changed.copies) == ("x", str(copy), [])

    def test_what_is_merely_missing_stays(self, tmp_path, memory):
        path, other = made(tmp_path / "a.mp4"), made(tmp_path / "b.mp4")
        catalog = Catalog([row(path), row(other, "y")], memory, EVERY, TILES)
        path.unlink()
        assert (catalog.settle(), catalog.take_changes()) == ([], [])
        assert catalog.survey([str(tmp_path)]) == ([str(path)], [])
        assert catalog.survey([str(tmp_path / "a")]) == ([], [])

    def test_what_cannot_be_looked_for_is_not_missing(self, tmp_path, memory):
        folder = tmp_path / "disk"
        folder.mkdir()
        path = made(folder / "a.mp4")
        catalog = Catalog([row(path)], memory, EVERY, TILES)
        path.unlink()
        empty = Offline(str(folder), "it is empty", 1)
        assert catalog.survey([str(folder)]) == ([], [empty])
        folder.rmdir()
        away = Offline(str(folder), "it is not there", 1)
        assert catalog.survey([str(folder)]) == ([], [away])

    def test_copies_that_are_gone_are_given_up(self, tmp_path, memory):
        path, copy = made(tmp_path / "a.mp4"), made(tmp_path / "b.mp4")
        catalog = Catalog([row(path, copies=[str(copy)])], memory, EVERY, TILES)
        copy.unlink()
        assert catalog.settle() == []
        (changed,) = catalog.take_changes()
        assert (changed.path, changed.copies) == (str(path), [])


def test_a_memory_that_cannot_be_written_is_lost_without_harm(tmp_path):
    (tmp_path / "index").touch()
    Catalog([], tmp_path / "index" / "files.json", EVERY, TILES).save()
