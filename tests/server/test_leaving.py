"""Clients that go away in the middle: nothing is left of what was done for them, nor in the log."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Site, serve

import framefind
import media
from leaks import counts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
TROUBLE = ("Traceback", "never retrieved", "was never awaited", "Error")
POOLS = 16  # threads that wait for work; how many there are is chance
BOUNDARY = "Content-Type: multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """A film that browsers play, one to be copied for them, and one to be encoded for them."""
    folder = tmp_path_factory.mktemp("films")
    media.film(folder / "plain.mp4", 4.0, (640, 480), fps=25)
    media.film(folder / "copied.mkv", 4.0, (640, 480), fps=25)
    media.film(folder / "encoded.avi", 10.0, (320, 240), fps=25, codec="mpeg4")
    library = framefind.open(folder / "l.framefind")
    assert len(library.index(folder, sampler="count=2", views="whole").indexed) == 3
    return library


@pytest.fixture
def addresses(library: framefind.Library) -> dict[str, str]:
    return {Path(row.path).stem: f"/v1/videos/{row.video_id}" for row in library.videos()}


def leave(site: Site, *lines: str, sent: bytes = b"", take: int = 0) -> None:
    """Send a request, take so many bytes of the answer at least, and hang up."""
    head = "\r\n".join([*lines, f"Host: 127.0.0.1:{site.port}", "", ""]).encode()
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(head + sent)
        while take > 0 and (part := connection.recv(65536)):
            take -= len(part)
        # Reset, as by a browser that is closed: unread bytes are thrown away.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def decoders(site: Site) -> list[str]:
    """Return the names of FFmpeg's decoder threads."""
    threads = Path(f"/proc/{site.process.pid}/task").glob("*/comm")
    names = [thread.read_text("utf-8") for thread in threads]
    return [name for name in names if name.startswith("av:")]


def settled(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def visits(site: Site, at: dict[str, str]) -> Iterator[Callable[[], None]]:
    """All ways to go away in the middle of something."""
    for name in at:
        for take in (0, 1, 5000):
            yield lambda n=name, t=take: leave(site, f"GET {at[n]}/stream HTTP/1.1", take=t)
    for take in (0, 1, 2000):  # the whole answer is a little longer
        address = f"{at['plain']}/stream?transcode=true"
        yield lambda a=address, t=take: leave(site, f"GET {a} HTTP/1.1", take=t)
    ranged = f"GET {at['plain']}/stream HTTP/1.1", "Range: bytes=100-"
    yield lambda: leave(site, *ranged, take=1)
    for take in (0, 1):
        address = f"{at['encoded']}/clip?start=0&end=5"
        yield lambda a=address, t=take: leave(site, f"GET {a} HTTP/1.1", take=t)
    yield lambda: leave(site, f"GET {at['encoded']}/frames/1.0.jpg HTTP/1.1")
    yield lambda: leave(site, "GET /v1/search?q=a+dog HTTP/1.1")
    yield lambda: leave(site, "GET /v1/jobs/events HTTP/1.1", take=1)
    upload = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc'
    for address in ("/v1/search", f"{at['plain']}/scores", "/v1/jobs"):
        kind = BOUNDARY if address != "/v1/jobs" else "Content-Type: application/json"
        head = f"POST {address} HTTP/1.1", kind, "Content-Length: 1000000"
        yield lambda h=head: leave(site, *h, sent=upload)
    yield lambda: leave(site, "GET /v1/sea")


def test_nothing_is_left_of_them(library, addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serve(library.uri) as site:

        def meet_all() -> None:
            threads = [threading.Thread(target=visit) for visit in visits(site, addresses)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        def idle() -> bool:
            with site.client() as client:
                return "framefind_streams 0.0\n" in client.get("/metrics").text

        meet_all()
        assert settled(idle)
        with site.client() as client:  # and it still answers
            assert client.get("/v1/search", params={"q": "a dog"}).status_code == 200
            whole = client.get(f"{addresses['encoded']}/stream")
            assert whole.status_code == 200
            assert len(whole.content) > 10_000
        first = counts(site.process.pid)
        for _ in range(2):
            meet_all()
        assert settled(idle)
        assert settled(lambda: not decoders(site))
        threads, files = counts(site.process.pid)
        assert threads <= first[0] + POOLS
        assert files <= first[1] + 4
        assert settled(lambda: not list(tmp_path.glob("*.mp4")))
    assert not [line for line in site.said.splitlines() if any(word in line for word in TROUBLE)]
