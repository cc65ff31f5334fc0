"""A file that is handed over is there whole, or not at all; an error names it."""

import errno
from pathlib import Path

import pytest

from framefind.output.files import replacing


@pytest.mark.parametrize("name", [None, "report.part.pdf"])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, name: str | None
) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"old")
    failed = None if name is None else str(tmp_path / name)

    def write() -> None:
        with replacing(report) as fresh:
            fresh.write_bytes(b"new")
            raise OSError(errno.ENOSPC, "No space left on device", failed)

    with pytest.raises(OSError, match="No space left") as raised:
        write()
    assert raised.value.filename == str(report)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.pdf"]
    assert report.read_bytes() == b"old"
