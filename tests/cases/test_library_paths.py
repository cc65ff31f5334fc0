"""Libraries below folders whose names hold characters that URLs escape."""

import os
from pathlib import Path

import pytest

import framefind
from framefind.errors import LibraryError
from framefind.tables import maintenance
from framefind.tables.tables import Tables
from rows import FINGERPRINT, publish, visible, whole


@pytest.mark.parametrize("name", ["a b", "50%", "a#b", "a?b", "a[b]", "a'b\"c", "a{b}^|`", "ü😀"])
def test_a_library_like_any_other(tmp_path: Path, name: str) -> None:
    tables = Tables.create(tmp_path / name / "l.framefind", FINGERPRINT)
    for video in "ab":
        publish(tables, video)
    maintenance.purge(tables)
    assert visible(Tables.open(tables.uri)) == {"a": whole(), "b": whole()}


BAD = ["a%20b", "a\\b", "tab\tnew\nline", os.fsdecode(b"caf\xe9")]


@pytest.mark.parametrize("name", BAD)
def test_what_delta_lake_misreads_is_refused_before_anything_is_made(
    tmp_path: Path, clips: Path, name: str
) -> None:
    for where in (tmp_path / name, tmp_path / name / "l.framefind"):
        with pytest.raises(LibraryError, match="cannot be the path of a library.*rename") as raised:
            framefind.open(where).index(clips)
        str(raised.value).encode()  # can be printed
        with pytest.raises(LibraryError, match="cannot be the path of a library"):
            Tables.create(where, FINGERPRINT)
    assert list(tmp_path.iterdir()) == []


def test_a_library_whose_folder_was_renamed_is_not_taken_for_its_neighbour(tmp_path: Path) -> None:
    publish(Tables.create(tmp_path / "a b" / "l", FINGERPRINT), "a")
    publish(Tables.create(tmp_path / "other" / "l", FINGERPRINT), "b")
    (tmp_path / "other").rename(tmp_path / "a%20b")
    with pytest.raises(LibraryError, match="`%20`"):
        framefind.open(tmp_path / "a%20b" / "l")
    (tmp_path / "link%20").symlink_to(tmp_path / "a b")  # links are followed
    assert visible(Tables.open(tmp_path / "link%20" / "l")) == {"a": whole()}
