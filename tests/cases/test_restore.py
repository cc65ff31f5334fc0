"""What was removed by a slip comes back without decoding."""

import os
import shutil

import pytest

from conftest import assert_same, content
from framefind import FramefindError
from framefind.indexing.decoders import DecoderPool
from terminal import run


def test_a_removed_video_comes_back_as_it_was(library, calls):
    before = content(library)
    found = library.search("a dog", limit=99).moments
    decoded = calls(DecoderPool, "__init__")
    gone = library.remove(["a.mp4", "d.mp4"])
    library.search("a dog")
    library.maintain()
    assert sorted(path for row in library.restorable() for path in row.paths) == gone
    assert library.restore("*") == gone
    assert_same(before, content(library))
    assert library.search("a dog", limit=99).moments == found
    assert (decoded, library.restorable()) == ([], [])


def test_a_forgotten_copy_comes_back(library, clips, tmp_path):
    copy = shutil.copy(clips / "a.mp4", tmp_path / "copy.mp4")
    library.index(copy)
    library.remove(copy)
    assert library.restore(copy) == [str(copy)]
    (row,) = library.videos("a.mp4")
    assert row.paths == [str(clips / "a.mp4"), str(copy)]


def test_what_is_deleted_cannot_come_back(library):
    library.remove("a.mp4", purge=True)
    assert library.restorable() == []
    for name in ("a.mp4", "nosuch", ""):
        with pytest.raises(FramefindError):
            library.restore(name)
    assert len(library.videos()) == 3


def test_from_the_command_line(library):
    (gone,) = library.remove("a.mp4")
    assert run("restore", "-l", library.uri).stdout == f"{gone}\n"
    assert run("restore", "", "-l", library.uri).returncode == 2
    assert run("restore", "nosuch", "-l", library.uri).returncode == 2
    assert run("restore", os.path.basename(gone), "-l", library.uri).stdout == f"{gone}\n"
    assert run("restore", "-l", library.uri).stdout == ""
    assert len(library.videos()) == 4
