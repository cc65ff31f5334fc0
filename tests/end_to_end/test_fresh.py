"""What other processes publish is found soon, and only what is new is read."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import framefind
from framefind import Library
from framefind.index import refresh
from framefind.index.vectors import VectorIndex
from framefind.models import registry
from framefind.server.app import create_app
from framefind.server.security import Access
from framefind.tables.rows import FrameRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Video
from framefind.video.views import WHOLE

Calls = Callable[[object, str], list[tuple[object, ...]]]

STREAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from framefind.tables.tables import Tables
from framefind.tables.address import lock
from test_fresh import publish
with lock(sys.argv[2], exclusive=False, doing="streaming"):
    for name in sys.argv[3:]:
        print(time.time(), flush=publish(Tables.open(sys.argv[2]), name))
        sys.stdin.readline()
"""


def publish(tables: Tables, name: str) -> bool:
    """Publish a video of three frames that are what the text `name` says."""
    vector = registry.load("mini").embed_texts([name])
    segment = new_segment()
    with tables.writer() as writer:
        for t in (0.0, 1.0, 2.0):
            writer.add(FrameRow(name, segment, t, b"", [WHOLE], vector))
        files = writer.close()
    row = Video(video_id=name, path=f"/{name}.mp4", frames=3, segments=[segment], duration=3.0)
    return tables.publish(files, [row])


@pytest.fixture
def own(tmp_path: Path) -> Library:
    """A library of a few files that are not new, some of which hold rows that do not count."""
    tables = Tables.create(tmp_path / "l.framefind", registry.load("mini").fingerprint)
    for name in ("a dog", "a cat", "a tree"):
        publish(tables, name)
    return framefind.open(tables.uri)


def best(found: framefind.Page) -> str:
    return os.path.basename(found.moments[0].path)


class TestServer:
    def test_finds_what_a_stream_publishes_meanwhile(self, own: Library, calls: Calls) -> None:
        access = Access("testserver", 80, None, ("testserver",), ())
        with TestClient(create_app(own, access, refresh=0.5)) as client:
            looked = calls(Tables, "read_segments")
            read = calls(Tables, "read_frames")
            names = ["a red car", "a house on fire"]
            command = [sys.executable, "-c", STREAM, str(Path(__file__).parent), own.uri, *names]
            streaming = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert streaming.stdin
            assert streaming.stdout
            for count, name in enumerate(names, 1):
                published = float(streaming.stdout.readline())
                while found(client, name) != f"/{name}.mp4":
                    assert time.time() < published + 60, f"{name} is not found"
                    time.sleep(0.1)
                # A file of frames is looked at again if it was seen before its videos' rows.
                assert len({file for _, file in looked}) == len(read) == count
                streaming.stdin.write("\n")
                streaming.stdin.flush()
            assert streaming.wait(timeout=60) == 0


def found(client: TestClient, text: str) -> str:
    answer = client.get("/v1/search", params={"q": text, "limit": 1})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["moments"][0]["path"])


class TestObjectStore:
    @pytest.fixture
    def remote(self, own: Library) -> Library:
        """The same by a URI: all but the scheme is as on an object store."""
        opened = framefind.open(own.uri)
        opened.vector_index.uri = opened.uri = f"file://{own.uri}"
        assert best(opened.search("a dog")) == "a dog.mp4"
        return opened

    def test_many_searches_look_once(
        self, remote: Library, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(refresh, "LOOK", 3600.0)  # however long the searches take here
        versions = calls(Tables, "revision")
        opened = calls(Tables, "delta")
        assert {best(remote.search(text)) for text in ("a dog", "a cat") * 5} == {
            "a dog.mp4",
            "a cat.mp4",
        }
        assert len(versions) <= 2
        assert opened == []

    def test_what_is_new_is_found_soon(
        self, remote: Library, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(Tables(remote.uri), "a red car")
        read = calls(Tables, "read_frames")
        monkeypatch.setattr(refresh, "LOOK", 0.0)
        assert best(remote.search("a red car")) == "a red car.mp4"
        assert len(read) == 1
        opened = calls(VectorIndex, "__init__")
        assert best(remote.search("a red car")) == "a red car.mp4"
        assert opened == []
