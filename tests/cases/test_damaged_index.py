"""Index files that are cut, empty, zeroed or overwritten never give an answer."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import framefind
from framefind import Library

Found = list[tuple[str, float, float]]


def ask(library: Library) -> Found:
    found = framefind.open(library.uri).search("a red car", limit=9)
    return [(moment.path, moment.start, moment.score) for moment in found]


def files(library: Library) -> list[Path]:
    """The manifest, and one file of each kind; the memory of `index` and the lock are none."""
    folder = Path(library.uri, "index")
    return [folder / "manifest.json", *sorted(folder.glob("*/*"))]


def garbage(content: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(content))


DAMAGE = {
    "garbage": garbage,
    "zeros": lambda content: bytes(len(content)),
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "one bit": lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_any_damage_is_built_again_with_one_line(
    library: Library, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = ask(library)
    assert len(files(library)) > 15
    names = [path.name for path in files(library)]
    for name in names:
        path = next(path for path in files(library) if path.name == name)
        content = path.read_bytes()
        before = path.stat()
        path.write_bytes(DAMAGE[kind](content))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as bit rot leaves it
        caplog.clear()
        assert ask(library) == expected, name
        framefind.open(library.uri).maintain()  # looks at what no search has read
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 1, (name, lines)
        assert name in lines[0]
        assert "built again" in lines[0]
        assert path.parent == Path(library.uri, "index") or not path.exists()


def test_missing_files_are_built_again(library: Library) -> None:
    expected = ask(library)
    for name in [path.name for path in files(library)]:
        next(path for path in files(library) if path.name == name).unlink()
        assert ask(library) == expected, name
    for inner in (0, 1):
        shutil.rmtree(sorted(Path(library.uri, "index").glob("*/"))[inner])
        assert ask(library) == expected
    shutil.rmtree(Path(library.uri, "index"))
    assert ask(library) == expected


def test_damage_under_an_opened_library(library: Library) -> None:
    """A row is checked when it is first read, be it long after the index was opened."""
    expected = ask(library)
    opened = framefind.open(library.uri)
    assert len(opened.videos()) == 4
    opened.vector_index.get()
    (vectors,) = Path(library.uri, "index").glob("*/vectors")
    with vectors.open("r+b") as file:
        file.write(garbage(vectors.read_bytes()))
    found = opened.search("a red car", limit=9)
    assert [(moment.path, moment.start, moment.score) for moment in found] == expected
    assert not vectors.exists()


def test_a_manifest_of_another_version_is_no_damage(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    expected = ask(library)
    manifest = Path(library.uri, "index", "manifest.json")
    manifest.write_text(json.dumps({"format": 5, "versions": [1, 1]}))
    assert ask(library) == expected
    assert caplog.records == []
