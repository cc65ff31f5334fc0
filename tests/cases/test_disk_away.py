"""Disks, shares and folders that are away for a moment: nothing on them is forgotten."""

import json
import shutil
from pathlib import Path

import pytest

import framefind
from conftest import write_clip
from terminal import run

pytestmark = pytest.mark.usefixtures("no_words")

CHOICE = {"sampler": "count=1", "views": "whole"}


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """A folder with `disk/1.mp4`, `disk/deep/2.mp4` and `other/3.mp4`."""
    for seed, name in enumerate(("disk/1.mp4", "disk/deep/2.mp4", "other/3.mp4"), 1):
        write_clip(tmp_path / name, [seed], 0.4)
    return tmp_path


@pytest.fixture
def library(disks: Path) -> framefind.Library:
    library = framefind.open(disks / "l.framefind")
    library.index([disks / "disk", disks / "other"], **CHOICE)
    return library


def take_away(disks: Path, empty: bool) -> None:
    (disks / "disk").rename(disks / "off")
    if empty:
        (disks / "disk").mkdir()  # the mount point


def bring_back(disks: Path) -> None:
    shutil.rmtree(disks / "disk", ignore_errors=True)
    (disks / "off").rename(disks / "disk")


@pytest.mark.parametrize("empty", [True, False])
def test_a_disk_that_is_away_keeps_its_videos(disks, library, empty):
    before = library.search("a dog", limit=9).moments
    take_away(disks, empty)
    report = library.index([disks / "disk", disks / "other"], **CHOICE)
    (away,) = report.offline
    assert (away.root, away.videos, report.missing) == (str(disks / "disk"), 2, [])
    assert library.status().offline == [away]
    assert library.prune() == []
    assert library.search("a dog", limit=9).moments == before
    bring_back(disks)
    assert library.offline() == {}
    assert library.index([disks / "disk", disks / "other"], **CHOICE).unchanged == 3


@pytest.mark.parametrize("empty", [True, False])
def test_it_is_said_in_a_line_for_each_root(disks, library, empty):
    take_away(disks, empty)
    at = ["-l", library.uri]
    reason = "it is empty" if empty else "it is not there"
    said = f"offline: {disks}/disk: {reason}; 2 videos kept (`framefind prune --offline` forgets"
    ended = run("index", disks / "disk", disks / "other", *at)
    assert ended.returncode == (0 if empty else 3)  # what was named is not there
    assert ended.stderr.count(f"{disks}/disk") == ended.stderr.count(said) == 1
    ended = run("prune", *at)
    assert (ended.returncode, ended.stdout, ended.stderr.count(said)) == (0, "", 1)
    assert f"offline  {disks}/disk: {reason}" in run("status", *at).stdout
    listed = json.loads(run("videos", "--json", *at).stdout)["videos"]
    assert [video["offline"] for video in listed] == [True, True, False]
    lines = run("videos", *at).stdout.splitlines()
    assert [f"offline: {disks}/disk: {reason}" in line for line in lines] == [True, True, False]


def test_only_offline_forgets_it(disks, library):
    take_away(disks, empty=False)
    ended = run("prune", "--offline", "--dry-run", "-l", library.uri)
    assert ended.stdout.splitlines() == [f"{disks}/disk/1.mp4", f"{disks}/disk/deep/2.mp4"]
    assert len(library.videos()) == 3
    assert run("prune", "--offline", "-l", library.uri).returncode == 1  # most of the library
    assert run("prune", "--offline", "--yes", "-l", library.uri).returncode == 0
    assert [row.path for row in library.videos()] == [f"{disks}/other/3.mp4"]


def test_files_and_folders_deleted_from_a_root_that_is_there_are_gone(disks, library):
    shutil.rmtree(disks / "disk" / "deep")
    assert library.index(disks / "disk", **CHOICE).missing == [f"{disks}/disk/deep/2.mp4"]
    assert library.prune(dry_run=True) == library.prune() == [f"{disks}/disk/deep/2.mp4"]
    assert len(library.videos()) == 2


def test_a_root_named_with_a_slash_or_by_a_link_is_the_same(disks, tmp_path):
    (tmp_path / "link").symlink_to(disks / "disk")
    for number, name in enumerate((f"{disks}/disk/", tmp_path / "link")):
        library = framefind.open(tmp_path / f"{number}.framefind")
        library.index(name, **CHOICE)
        take_away(disks, empty=True)
        assert library.index(name, **CHOICE).offline[0].root == str(disks / "disk")
        assert library.prune() == []
        bring_back(disks)
        assert len(library.videos()) == 2


def test_files_that_were_named_are_kept_with_their_disk(disks, tmp_path):
    library = framefind.open(tmp_path / "l")
    named = [disks / "disk" / "1.mp4", disks / "other" / "3.mp4"]
    library.index(named, **CHOICE)
    take_away(disks, empty=True)
    assert library.prune() == []
    bring_back(disks)
    (disks / "disk" / "1.mp4").unlink()
    assert library.prune() == [str(named[0])]


def test_a_lost_memory_of_roots_makes_careful(disks, library):
    Path(library.uri, "index", "roots.json").unlink()
    (disks / "disk" / "deep" / "2.mp4").unlink()
    assert library.prune() == []
    library.index(disks / "disk", **CHOICE)
    assert library.prune() == [f"{disks}/disk/deep/2.mp4"]


def test_a_copy_of_what_is_away_is_a_copy(disks, library):
    other = write_clip(disks / "other" / "again.mp4", [1], 0.4)
    roots = Path(library.uri, "index", "roots.json")
    content = json.loads(roots.read_text())
    content[f"{disks}/disk"]["device"] += 1  # as if another file system had been there
    roots.write_text(json.dumps(content))
    take_away(disks, empty=True)
    assert library.index(disks / "other", **CHOICE).copied == [str(other)]
    (row,) = library.videos([other])
    assert row.paths == [f"{disks}/disk/1.mp4", str(other)]


def test_a_dry_run_remembers_nothing(disks, library):
    roots = Path(library.uri, "index", "roots.json")
    before = roots.read_text()
    take_away(disks, empty=True)
    assert run("index", disks / "disk", "--dry-run", "-l", library.uri).returncode == 0
    assert roots.read_text() == before
