"""What is read out of weights once."""

import hashlib
import os
from pathlib import Path

from framefind.files.folders import cache_folder
from framefind.models.layouts.external_data import external_files
from framefind.models.weights_hash import remember_fact, weights_hash


def location(name: str) -> bytes:
    """Return the entry of a tensor in ONNX whose numbers are in the file of that name."""
    return b"\n\x08location\x12" + bytes([len(name)]) + name.encode()


def test_a_fact_is_found_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    asked = []

    def find() -> str:
        asked.append(file.read_bytes())
        return f"{len(asked)}"

    assert remember_fact("count", [file], find) == "1"
    assert remember_fact("count", [file], find) == "1"
    assert remember_fact("another", [file], find) == "2"
    file.write_bytes(b"two")
    os.utime(file, ns=(0, 0))
    assert remember_fact("count", [file], find) == "3"
    assert asked == [b"one", b"one", b"two"]


def test_what_was_cut_short_in_the_cache_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    expected = hashlib.blake2b(b"one", digest_size=16).hexdigest()
    assert weights_hash([file]) == expected
    for cached in (cache_folder() / "weights").iterdir():
        cached.write_bytes(b"")
    assert weights_hash([file]) == expected


def test_weights_outside_of_a_graph_are_known_after_it_changes(tmp_path: Path) -> None:
    graph = tmp_path / "image.onnx"
    graph.write_bytes(b"graph")
    assert external_files(graph) == set()
    graph.write_bytes(b"graph" + location("a.data") + location("b.data") + location("a.data"))
    assert external_files(graph) == {"a.data", "b.data"}
    assert external_files(graph) == {"a.data", "b.data"}
