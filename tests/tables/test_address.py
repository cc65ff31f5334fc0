import os
import subprocess
import sys
from pathlib import Path

import pytest

from framefind.errors import LibraryError
from framefind.tables.address import as_library_error, lock


def test_one_writer_alone(tmp_path: Path) -> None:
    uri = str(tmp_path / "deep" / "a.framefind")
    with lock(uri):
        for exclusive in (True, False):
            with pytest.raises(LibraryError, match="another framefind is writing"):
                lock(uri, exclusive).__enter__()
    with lock(uri):
        pass


def test_several_writers_together(tmp_path: Path) -> None:
    uri = str(tmp_path)
    with lock(uri, exclusive=False), lock(uri, exclusive=False), pytest.raises(LibraryError):
        lock(uri, exclusive=True).__enter__()
    with lock(uri, exclusive=True):
        pass


def test_a_lock_ends_with_an_exception(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock(str(tmp_path)):
        raise KeyError
    with lock(str(tmp_path)):
        pass


def test_an_object_store_has_no_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with lock("s3://bucket/a.framefind"), lock("s3://bucket/a.framefind"):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), r"writing: .*No space left.*; free some space"),
        (OSError(30, "Read-only file system"), "choose another library"),
        (OSError(5, "Input/output\n error"), "writing: .*Input/output error$"),
    ],
)
def test_errors_say_what_to_do(error: OSError, words: str) -> None:
    with pytest.raises(LibraryError, match=words) as raised, as_library_error("writing"):
        raise error
    assert raised.value.__cause__ is error


def test_the_error_names_who_is_writing(tmp_path: Path) -> None:
    uri = str(tmp_path)
    code = f"from framefind.tables.address import lock\nwith lock({uri!r}, False, 'streaming'):"
    code += "\n    print(flush=True)\n    input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout
    assert other.stdout.readline()
    with lock(uri, exclusive=False, doing="maintain"):
        pass
    with pytest.raises(LibraryError, match=rf": streaming \(process {other.pid}\); wait for it"):
        lock(uri, doing="index").__enter__()
    with lock(uri, exclusive=False, doing="maintain"):
        other.kill()
        other.wait()
        with pytest.raises(LibraryError, match=rf": maintain \(process {os.getpid()}\);"):
            lock(uri, doing="index").__enter__()
    with lock(uri, doing="index"):
        pass
