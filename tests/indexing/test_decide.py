import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framefind.indexing.decide import Catalog
from framefind.indexing.decisions import Pending, Probed, Settled
from framefind.indexing.options import IndexOptions
from framefind.indexing.walk import File
from framefind.reports import Offline
from framefind.types import Video
from framefind.video.facts import Facts

EVERY = "every=1.0"
TILES = "tiles"
FACTS = Facts(2.0, 160, 120, 5.0, "mpeg4")
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (0, 0))
    return path


def file(path: Path, **changes: object) -> File:
    facts = path.stat()
    values = {"size": facts.st_size, "modified": facts.st_mtime_ns // 1000}
    return File(str(path), **values | changes)  # type: ignore[arg-type]


def catalog_of(
    rows: list[Video], memory: Path, sampler: str = EVERY, retry: bool = False
) -> Catalog:
    return Catalog(rows, memory, IndexOptions.parse(sampler=sampler, retry=retry, read="none"))


def verdict(catalog: Catalog, seen: File) -> str:
    """What a file is, as far as that can be told without opening it."""
    settled = catalog.settle_unopened(seen)
    return settled.kind if settled else "open"


def claim(catalog: Catalog, seen: File, video_id: str) -> Settled | Pending:
    """What a file is that was opened and is that video."""
    return catalog.decide(seen, Probed("video", video_id, FACTS))


def begun(decision: Settled | Pending) -> Pending:
    assert isinstance(decision, Pending)
    return decision


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "index" / "files.json"


class TestUnopened:
    @pytest.mark.parametrize(
        ("changes", "facts", "retry", "expected"),
        [
            ({}, {}, False, "unchanged"),
            ({"status": "partial"}, {}, True, "unchanged"),
            ({"status": "indexing"}, {}, False, "open"),
            ({"status": "failed"}, {}, False, "failed before"),
            ({"status": "failed"}, {}, True, "open"),
            ({"status": "failed"}, {"size": 5}, False, "open"),
            ({"sampler": "keyframes"}, {}, False, "open"),
            ({"views": "whole"}, {}, False, "open"),
            ({}, {"size": 5}, False, "open"),
            ({}, {"modified": 5}, False, "open"),
        ],
    )
    def test_verdicts(self, tmp_path, memory, changes, facts, retry, expected):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path, **changes)], memory, retry=retry)
        assert verdict(catalog, file(path, **facts)) == expected

    def test_what_is_not_a_video_is_remembered_unless_it_is_named(self, tmp_path, memory):
        path = made(tmp_path / "a.txt")
        catalog = catalog_of([], memory)
        assert verdict(catalog, file(path)) == "open"
        catalog.decide(file(path), Probed("not a video"))
        catalog.save()
        again = catalog_of([], memory)
        assert verdict(again, file(path)) == "not a video"
        assert verdict(again, file(path, named=True)) == "open"
        assert verdict(again, file(path, modified=9)) == "open"


class TestVideo:
    def test_a_new_video_begins_at_the_beginning(self, tmp_path, memory):
        catalog = catalog_of([], memory)
        pending = begun(claim(catalog, file(made(tmp_path / "a.mp4")), "x"))
        assert (pending.start, pending.row.segments) == (-math.inf, [])
        assert (pending.row.duration, pending.row.sampler) == (2.0, EVERY)
        assert catalog.take_changes() == []

    def test_a_half_indexed_one_goes_on(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        half = row(path, status="indexing")
        pending = begun(claim(catalog_of([half], memory), file(path), "x"))
        assert pending.start == math.nextafter(2.0, 3.0)
        other = begun(claim(catalog_of([half], memory, "keyframes"), file(path), "x"))
        assert other.start == -math.inf

    @pytest.mark.parametrize(
        ("name", "gone", "what"),
        [("a.mp4", False, "touched"), ("b.mp4", True, "moved"), ("b.mp4", False, "copied")],
    )
    def test_a_known_one_is_not_decoded(self, tmp_path, memory, name, gone, what):
        first = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(first)], memory)
        path = made(tmp_path / name)
        if gone:
            first.unlink()
        decision = claim(catalog, file(path), "x")
        assert isinstance(decision, Settled)
        assert decision.kind == what
        (changed,) = catalog.take_changes()
        expected = str(first) if what == "copied" else str(path)
        assert (changed.path, changed.segments) == (expected, ["s"])
        assert changed.copies == ([str(path)] if what == "copied" else [])
        assert verdict(catalog, file(path)) == "unchanged"
        assert catalog.settle() == []

    def test_a_link_in_its_place_is_no_copy(self, tmp_path, memory):
        old = made(tmp_path / "videos" / "deep" / "a.mp4")
        catalog = catalog_of([row(old, copies=[str(made(tmp_path / "b.mp4"))])], memory)
        new = old.parent.rename(tmp_path / "elsewhere") / "a.mp4"
        old.parent.symlink_to(new.parent)
        (tmp_path / "b.mp4").unlink()
        (tmp_path / "b.mp4").symlink_to(new)
        decision = claim(catalog, file(new), "x")
        assert isinstance(decision, Settled)
        assert decision.kind == "moved"
        (changed,) = catalog.take_changes()
        assert (changed.path, changed.copies) == (str(new), [])


class TestFail:
    def test_is_noted(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([], memory)
        catalog.fail(file(path), "x", "why")
        (changed,) = catalog.take_changes()
        assert (changed.status, changed.error, changed.path) == ("failed", "why", str(path))
        assert verdict(catalog, file(path)) == "failed before"

    def test_hides_nothing_of_a_file_that_cannot_be_read(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        gone = file(path, size=9)
        path.unlink()
        catalog.fail(gone, "y", "why")
        assert catalog.take_changes() == []
        assert catalog.settle() == []

    def test_replaces_what_had_another_content(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        catalog.fail(file(path, size=9), "y", "why")
        assert [changed.video_id for changed in catalog.take_changes()] == ["y"]
        assert catalog.settle() == ["x"]

    def test_hides_nothing_of_the_same_content(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        catalog.fail(file(path), "x", "why")
        assert catalog.take_changes() == []


class TestNotAVideo:
    def test_a_video_that_is_none_any_more_is_gone(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        catalog.decide(file(path, size=9), Probed("not a video"))
        assert catalog.settle() == ["x"]
        assert verdict(catalog, file(path, size=9)) == "not a video"


class TestCopies:
    def test_a_copy_alone_is_indexed_with_another_sampler(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        copy = made(tmp_path / "b.mp4")
        catalog = catalog_of([row(path)], memory, "every=2.0")
        begun(claim(catalog, file(copy), "x"))
        assert begun(claim(catalog, file(path), "x")).row.copies == [str(copy)]


class TestSettle:
    def test_a_video_whose_path_was_taken_is_gone(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        claim(catalog, file(path, size=9), "y")
        assert catalog.settle() == ["x"]

    @pytest.mark.parametrize("how", ["taken", "gone"])
    def test_or_lives_on_in_a_copy_that_is_there(self, tmp_path, memory, how):
        path = made(tmp_path / "a.mp4")
        copy = made(tmp_path / "c.mp4")
        copies = [str(tmp_path / "b.mp4"), str(copy)]
        catalog = catalog_of([row(path, copies=copies)], memory)
        if how == "taken":
            claim(catalog, file(path, size=9), "y")
        else:
            path.unlink()
        assert catalog.settle() == []
        (changed,) = catalog.take_changes()
        assert (changed.video_id, changed.path, changed.copies) == ("x", str(copy), [])

    def test_what_is_merely_missing_stays(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        other = made(tmp_path / "b.mp4")
        catalog = catalog_of([row(path), row(other, "y")], memory)
        path.unlink()
        assert (catalog.settle(), catalog.take_changes()) == ([], [])
        assert catalog.survey([str(tmp_path)]) == ([str(path)], [])
        assert catalog.survey([str(tmp_path / "a")]) == ([], [])

    def test_what_cannot_be_looked_for_is_not_missing(self, tmp_path, memory):
        folder = tmp_path / "disk"
        folder.mkdir()
        path = made(folder / "a.mp4")
        catalog = catalog_of([row(path)], memory)
        path.unlink()
        empty = Offline(str(folder), "it is empty", 1)
        assert catalog.survey([str(folder)]) == ([], [empty])
        folder.rmdir()
        away = Offline(str(folder), "it is not there", 1)
        assert catalog.survey([str(folder)]) == ([], [away])

    def test_copies_that_are_gone_are_given_up(self, tmp_path, memory):
        path = made(tmp_path / "a.mp4")
        copy = made(tmp_path / "b.mp4")
        catalog = catalog_of([row(path, copies=[str(copy)])], memory)
        copy.unlink()
        assert catalog.settle() == []
        (changed,) = catalog.take_changes()
        assert (changed.path, changed.copies) == (str(path), [])


def test_a_memory_that_cannot_be_written_is_lost_without_harm(tmp_path):
    (tmp_path / "index").touch()
    catalog_of([], tmp_path / "index" / "files.json").save()
