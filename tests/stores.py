"""A bucket of a real S3 server (moto's), for tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from framefind.files.objects import ObjectReader, open_object

SERVER = Path(__file__).with_name("store_server.py")


@dataclass
class Bucket:
    """One bucket; `uri` is its root."""

    uri: str
    log: Path

    @property
    def files(self) -> Any:
        """The store as fsspec has it."""
        return fsspec.filesystem("s3", use_listings_cache=False)

    def put(self, key: str, content: bytes) -> str:
        """Write an object; returns its URI."""
        self.files.pipe_file(f"{self.uri}/{key}", content)
        return f"{self.uri}/{key}"

    def fill(self, folder: Path, key: str) -> str:
        """Write the files of a folder; returns the URI of theirs."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.uri}/{key}"

    def read(self, uri: str) -> ObjectReader:
        """An object to read."""
        return open_object(uri)

    def requests(self, key: str) -> list[tuple[str, int]]:
        """Method and bytes of the answers about keys that begin so, since the last time."""
        lines = [line.split("\t") for line in self.log.read_text().splitlines()]
        self.log.write_bytes(b"")  # the server appends
        begin = f"/{self.uri.removeprefix('s3://')}/{key}"
        return [(method, int(size)) for method, path, size in lines if path.startswith(begin)]

    @contextmanager
    def closed(self, ending: str, after: int = 0) -> Iterator[None]:
        """Meanwhile, keys that end so are forbidden to read once they have sent so many bytes."""
        mark = Path(f"{self.log}.closed")
        mark.write_text(f"{ending} {after}")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Run the server, and let this process and its children use it; gives its log."""
    log = folder / "log"
    with (
        subprocess.Popen(
            [sys.executable, str(SERVER), str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert process.stdin
        assert process.stdout
        port = int(process.stdout.readline())
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            yield log
        finally:
            process.stdin.close()
