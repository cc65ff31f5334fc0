"""One opened library that many threads search while others change what it holds."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import framefind
from conftest import write_clip
from framefind.models import registry
from framefind.tables.address import aside_path, lock, replace_library, restore_library

CHOICE = {"sampler": "count=2", "views": "whole"}


class Searchers:
    """Threads that search one opened library until they are stopped; raises what they raised."""

    def __init__(self, library: framefind.Library, threads: int = 4) -> None:
        self.library = library
        self.stopped = threading.Event()
        self.pool = ThreadPoolExecutor(threads)
        self.runs = [self.pool.submit(self.search, at) for at in range(threads)]

    def search(self, at: int) -> list[set[str]]:
        seen: list[set[str]] = []
        while not self.stopped.is_set():
            page = self.library.search(f"a dog number {at}", limit=100, min_score=-100)
            scores = [moment.score for moment in page]
            assert scores == sorted(scores, reverse=True)
            assert page.total == len(page)
            assert len({(moment.path, moment.start) for moment in page}) == page.total
            seen.append({Path(moment.path).name for moment in page})
        return seen

    def __enter__(self) -> "Searchers":
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.pool.shutdown()


def test_searches_go_on_while_videos_come_and_go(library, tmp_path):
    names = {"a.mp4", "b.mp4", "c.mp4", "d.mp4"}
    with Searchers(library) as searchers:
        for at in range(3):
            clip = write_clip(tmp_path / "films" / f"{at}.mp4", [60 + at])
            framefind.open(library.uri).index(clip, **CHOICE)
            framefind.open(library.uri).maintain()
        framefind.open(library.uri).remove(["0.mp4"])
        (Path(library.uri) / "index").rename(tmp_path / "deleted")
        library.search("a dog")
    final = {*names, "1.mp4", "2.mp4"}
    for run in searchers.runs:
        seen = run.result()
        assert all(names <= found <= {*final, "0.mp4"} for found in seen)
    assert {Path(moment.path).name for moment in library.search("a", limit=100)} == final


def test_searches_go_on_while_the_library_is_embedded_again(copied_clips, tmp_path):
    source = Path(registry.__file__).parent / registry.full_name("mini")
    model = f"local-dir:{shutil.copytree(source, tmp_path / 'model')}"
    library = framefind.open(tmp_path / "l")
    library.index(copied_clips, **CHOICE)
    before = library.search("a dog", limit=100).moments
    with Searchers(library) as searchers:
        for name in (model, "mini"):
            framefind.open(library.uri).reembed(name)
            assert library.status().model == registry.full_name(name)
            again = library.search("a dog", limit=100).moments
            assert [(moment.path, moment.t) for moment in again] == [
                (moment.path, moment.t) for moment in before
            ]
            scores = [moment.score for moment in before]  # batches round in their own way
            assert [moment.score for moment in again] == pytest.approx(scores, abs=0.01)
    names = {Path(moment.path).name for moment in before}
    for run in searchers.runs:
        assert all(found == names for found in run.result())


class TestSupplant:
    @pytest.fixture
    def places(self, tmp_path: Path) -> tuple[Path, Path]:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "what").write_text(name)
        return tmp_path / "one", tmp_path / "other"

    def test_replaces_one_by_the_other(self, places):
        one, other = places
        aside_path(str(one)).mkdir()  # left by one that was stopped at the very end
        with lock(str(one)):
            replace_library(str(one), str(other))
        assert (one / "what").read_text() == "other"
        assert [path.name for path in one.parent.iterdir()] == ["one"]

    def test_one_that_was_stopped_in_between_is_put_back(self, places):
        one, _ = places
        one.rename(aside_path(str(one)))
        restore_library(str(one))
        assert (one / "what").read_text() == "one"

    def test_one_that_goes_on_is_waited_for(self, places):
        one, other = places
        with lock(str(one)):
            one.rename(aside_path(str(one)))
            waiting = threading.Thread(target=restore_library, args=[str(one)])
            waiting.start()
            waiting.join(0.05)
            assert not one.exists()
            other.rename(one)
            waiting.join()
        assert (one / "what").read_text() == "other"
        assert (aside_path(str(one)) / "what").read_text() == "one"
