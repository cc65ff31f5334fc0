import errno
from pathlib import Path

import pytest

from framefind.files import disk


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("ab") as one, (tmp_path / "lock").open("ab") as other:
        disk.lock(one.fileno(), exclusive=False)
        disk.lock(other.fileno(), exclusive=False)
        with pytest.raises(OSError, match=r".") as raised:
            disk.lock(one.fileno())
        assert not isinstance(raised.value, disk.NoLocksError)
    with (tmp_path / "lock").open("ab") as stream:
        disk.lock(stream.fileno(), wait=True)


def test_replace_leaves_the_new_file_only(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        disk.replace(tmp_path / "file", content)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_full_disk_leaves_the_old_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.replace(tmp_path / "file", b"old")

    def fill_up(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(disk, "sync", fill_up)
    with pytest.raises(OSError, match="No space left"):
        disk.replace(tmp_path / "file", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("name", [None, "report.part.pdf"])
def test_an_error_of_writing_names_the_file_that_is_replaced(
    tmp_path: Path, name: str | None
) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"old")
    failed = None if name is None else str(tmp_path / name)

    def write() -> None:
        with disk.replacing(report) as fresh:
            fresh.write_bytes(b"new")
            raise OSError(errno.ENOSPC, "No space left on device", failed)

    with pytest.raises(OSError, match="No space left") as raised:
        write()
    assert raised.value.filename == str(report)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.pdf"]
    assert report.read_bytes() == b"old"
