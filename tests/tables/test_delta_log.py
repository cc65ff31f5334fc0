from pathlib import Path

import pytest

from framefind.errors import LibraryError
from framefind.tables import maintenance
from framefind.tables.tables import Tables
from rows import FINGERPRINT, publish, visible, whole


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    made = Tables.create(tmp_path / "l", FINGERPRINT)
    for name in "ab":
        publish(made, name)
    return made


DAMAGE = {
    "empty": b"",
    "cut": b'{"add":{"path":"x.parquet","si',
    "zeros": bytes(500),
    "garbage": b"\xff\x00\x12garbage",
}


@pytest.mark.parametrize("table", ["videos", "frames"])
@pytest.mark.parametrize("kind", [*DAMAGE, "missing"])
def test_a_damaged_entry_is_named(tables: Tables, table: str, kind: str) -> None:
    path = Path(tables.address(table), "_delta_log", f"{1:020}.json")
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes(DAMAGE[kind])
    how = kind if kind in ("empty", "missing") else "damaged"
    with pytest.raises(
        LibraryError, match=rf"cannot read {path}, which is {how}: .*backup"
    ) as raised:
        Tables.open(tables.uri)
    assert "<unknown>" not in str(raised.value)


def test_without_the_newest_entry_the_rest_is_there(tables: Tables) -> None:
    Path(tables.address("videos"), "_delta_log", f"{2:020}.json").unlink()
    assert visible(Tables.open(tables.uri)) == {"a": whole()}


def test_entries_before_a_checkpoint_do_not_matter(tables: Tables) -> None:
    maintenance.maintain(tables)
    for table in ("videos", "frames"):
        for path in Path(tables.address(table), "_delta_log").glob("*.json"):
            path.write_bytes(b"")
    assert visible(Tables.open(tables.uri)) == {"a": whole(), "b": whole()}


def test_the_revision_tells_each_state_from_all_others(tables: Tables) -> None:
    seen = {tables.revision()}
    for name in "cd":
        publish(tables, name)
        seen.add(tables.revision())
    assert len(seen) == 3
    assert Tables(f"file://{tables.uri}").revision() in seen
    assert Tables.open(tables.uri).identity.count("-") == 8
