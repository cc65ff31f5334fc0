"""Counting cues: what has not changed is not read again, and damage is told all the same."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from framefind.tables import cue_counts, data_files
from framefind.tables.rows import CueRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Cue
from rows import FINGERPRINT

Calls = Callable[[object, str], list[tuple[object, ...]]]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Two data files, of a segment of one cue and of one of two."""
    tables = Tables.create(tmp_path / "a.framefind", FINGERPRINT)
    for cues in (1, 2):
        segment = new_segment("speech")
        rows = [CueRow("x", segment, Cue(float(i), i + 1.0, "a", "speech")) for i in range(cues)]
        tables.publish(cues=tables.write_cues(rows))
    return tables


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "cues.json"


def data_paths(tables: Tables) -> list[Path]:
    return sorted(
        Path(tables.address("cues")).glob("*.parquet"), key=lambda path: path.stat().st_size
    )


def test_what_stays_is_read_once_an_hour(
    tables: Tables, memory: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = calls(data_files, "read")
    counts = tables.count_cues(memory)
    assert sorted(counts.values()) == [1, 2]
    assert len(reads) == 2
    assert tables.count_cues(memory) == tables.count_cues(memory) == counts
    assert len(reads) == 2
    now = cue_counts.time.time()
    monkeypatch.setattr(cue_counts.time, "time", lambda: now + cue_counts.MAX_TRUST_SECONDS)
    assert tables.count_cues(memory) == counts
    assert len(reads) == 4
    monkeypatch.setattr(cue_counts.time, "time", lambda: now - 1)  # the clock was set back
    assert tables.count_cues(memory) == counts
    assert len(reads) == 6


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_changes_is_read_again(
    tables: Tables, memory: Path, calls: Calls, at: float
) -> None:
    counts = tables.count_cues(memory)
    reads = calls(data_files, "read")
    path = data_paths(tables)[0]
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 8
    path.write_bytes(content)
    assert tables.count_cues(memory) == tables.count_cues()
    assert [name for _, name, _ in reads[:-2]] == [path.name]
    path.unlink()
    left = tables.count_cues(memory)
    assert left.items() < counts.items()
    assert len(left) == 1


def test_a_damaged_file_counts_again_once_it_is_mended(tables: Tables, memory: Path) -> None:
    counts = tables.count_cues(memory)
    path = data_paths(tables)[0]
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    assert len(tables.count_cues(memory)) == 1
    assert len(tables.count_cues(memory)) == 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert tables.count_cues(memory) == counts


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"size": 1}}', "\0"])
def test_a_memory_that_makes_no_sense_is_written_again(
    tables: Tables, memory: Path, content: str
) -> None:
    memory.write_text(content)
    assert sorted(tables.count_cues(memory).values()) == [1, 2]
    assert json.loads(memory.read_text()).keys() == {path.name for path in data_paths(tables)}


def test_a_memory_that_cannot_be_written_costs_time_only(tables: Tables, tmp_path: Path) -> None:
    assert sorted(tables.count_cues(tmp_path / "none" / "cues.json").values()) == [1, 2]
