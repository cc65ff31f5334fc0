"""File systems on which `flock` fails, such as network shares without a lock service."""

import errno
import fcntl
from pathlib import Path

import pytest

import framefind
from framefind.errors import LibraryError


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_indexing_goes_on_and_says_so(
    tmp_path: Path,
    clips: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, "unsupported")

    monkeypatch.setattr(fcntl, "flock", flock)
    library = framefind.open(tmp_path / "l.framefind")
    report = library.index(clips / "c.mp4", views="whole", sampler="count=1")
    assert len(report.indexed) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{library.uri} lies on a file system without locks: see to it that nothing else "
        "writes to it"
    ]
    assert len(library.search("a cat")) == 1
    with pytest.raises(LibraryError, match="cannot be purged: .*after a week"):
        library.remove(["*"], purge=True)
    assert len(library.videos()) == 1
