"""Attacks, as real requests to a real server."""

import io
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import Site, alone, serve

import framefind
from conftest import write_clip
from framefind.server.security import Access, Guard

pytestmark = pytest.mark.usefixtures("no_words")

pytest_plugins = ["serving"]


@pytest.fixture(scope="module")
def guarded(shared_library: framefind.Library, tmp_path_factory) -> Iterator[Site]:
    """A server that other computers reach, under a name of its own."""
    root = tmp_path_factory.mktemp("allowed")
    options = ["--host-name", "127.0.0.1", "--host-name", "films.example", "--allow-root", root]
    with serve(shared_library.uri, *map(str, options), host="0.0.0.0") as site:
        site.root = root
        yield site


class TestHost:
    """Another host name than the server's own is a page of elsewhere, bound to our address."""

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
    def test_its_own_names(self, served, name):
        assert served.status("GET /healthz HTTP/1.1", f"Host: {name}:{served.port}") == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:PORT", "localhost", "localhost:1", "127.0.0.1", "[::1]",
         "localhost.:PORT", "localhost:PORT.evil.example", "127.0.0.1:PORT@evil", "0.0.0.0:PORT",
         "evil.example#localhost:PORT", "127.1:PORT", ""],
    )  # fmt: skip
    def test_other_names(self, served, host):
        for path in ("/", "/healthz", "/v1/library", "/v1/search?q=a", "/docs"):
            assert served.status(f"GET {path} HTTP/1.1", f"Host: {host}") in (400, 421)

    def test_none_and_two(self, served):
        own = f"Host: localhost:{served.port}"
        assert served.status("GET /v1/library HTTP/1.1", own, "Host: evil.example") == 400
        assert served.status("GET /v1/library HTTP/1.1") == 400
        assert served.status("GET /v1/library HTTP/1.0") == 421
        absolute = "GET http://evil.example/v1/library HTTP/1.1"
        assert served.status(absolute, "Host: evil.example") == 421
        forwarded = ("X-Forwarded-Host: localhost", "Forwarded: host=localhost")
        assert served.status("GET /healthz HTTP/1.1", "Host: evil.example", *forwarded) == 421

    def test_a_name_of_its_own(self, guarded):
        for name in ("films.example", f"films.example:{guarded.port}"):
            assert guarded.status("GET /healthz HTTP/1.1", f"Host: {name}") == 200
        for name in ("localhost", f"localhost:{guarded.port}", "evil.example"):
            assert guarded.status("GET /healthz HTTP/1.1", f"Host: {name}") == 421


class TestOrigin:
    """What changes something is not for the pages of other sites."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "file://"},
            {"Origin": "http://localhost:1"},
            {"Origin": "http://localhost"},
            {"Origin": "http://127.0.0.1:PORT.evil.example"},
            {"Origin": "ftp://127.0.0.1:PORT"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:PORT"},
            {"Sec-Fetch-Site": "Cross-Site"},
        ],
    )
    @pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "PUT", "PATCH"])
    def test_of_others(self, served, method, headers):
        given = {name: value.replace("PORT", str(served.port)) for name, value in headers.items()}
        with served.client(**given) as client:
            new = {"path": "/no/such/thing"}
            assert client.request(method, "/v1/jobs", json=new).status_code == 403
            assert client.request(method, "/v1/search", files={"image": b"x"}).status_code == 403
            assert client.get("/v1/jobs").status_code == 403
        with served.client() as client:
            assert client.get("/v1/jobs").json() == {"jobs": []}

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
    @pytest.mark.parametrize("path", ["/", "/v1/search?q=a", "/v1/library", "/main.js", "/healthz"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_nothing_is_worked_for_others(self, served, method, path, site):
        for mode, dest in (("cors", "empty"), ("no-cors", "image"), ("navigate", "iframe")):
            fetched = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
            with served.client(**fetched) as client:
                assert client.request(method, path).status_code == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
    def test_links_may_lead_here(self, served, site):
        followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate",
                    "Sec-Fetch-Dest": "document"}  # fmt: skip
        with served.client(**followed) as client:
            assert client.get("/").status_code == 200
            assert client.get("/?q=a").status_code == 200
            new = {"path": "/no/such/thing"}
            assert client.post("/v1/jobs", json=new).status_code == (422 if site == "none" else 403)

    def test_its_own_page_is_answered(self, served):
        for site in ("same-origin", "none"):
            own = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
            with served.client(**own) as client:
                assert client.get("/v1/search", params={"q": "a"}).status_code == 200

    def test_of_its_own(self, served):
        own = {"Origin": f"http://127.0.0.1:{served.port}", "Sec-Fetch-Site": "same-origin"}
        with served.client(**own) as client:
            assert client.post("/v1/jobs", json={"path": "relative"}).status_code == 422

    def test_nobody_else_may_read(self, served):
        with served.client(Origin="http://evil.example") as client:
            answer = client.get("/v1/library")
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"


class TestToken:
    def test_it_is_shown_once_and_long(self, guarded):
        assert guarded.said.count(guarded.token) == 1
        assert len(guarded.token) >= 32

    @pytest.mark.parametrize(
        "path", ["/", "/index.html", "/v1/library", "/v1/search?q=a", "/docs", "/openapi.json",
                 "/metrics", "/v1/jobs", "/nothing", "/v1/../metrics", "//v1/library",
                 "/?token=wrong", "/?token=", "/v1/library?token=TOKEN"]
    )  # fmt: skip
    def test_nothing_without_it(self, guarded, path):
        with guarded.client() as client:
            answer = client.get(path.replace("TOKEN", guarded.token))
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            assert guarded.token not in answer.text

    def test_health_needs_none_and_tells_nothing(self, guarded):
        with guarded.client() as client:
            assert client.get("/healthz").text == "ok"
            assert client.get("/readyz").text == "ready"

    def test_wrong_ones(self, guarded):
        right = guarded.token
        for wrong in (right[:-1], right + "x", right.upper(), f" {right[1:]}", "x", "é" * 8):
            with guarded.client() as client:
                header = {b"Authorization": f"Bearer {wrong}".encode()}
                assert client.get("/v1/library", headers=header).status_code == 401
                cookie = {b"Cookie": f"framefind_{guarded.port}={wrong}".encode()}
                assert client.get("/v1/library", headers=cookie).status_code == 401

    def test_the_right_one_in_a_header(self, guarded):
        with guarded.client(Authorization=f"Bearer {guarded.token}") as client:
            assert client.get("/v1/library").status_code == 200

    def test_the_shown_address_gives_a_strict_cookie(self, guarded):
        with guarded.client() as client:
            answer = client.get("/", params={"token": guarded.token})
            assert answer.status_code == 200
            cookie = answer.headers["set-cookie"]
            for part in ("HttpOnly", "SameSite=strict", "Path=/"):
                assert part in cookie
            assert guarded.token not in cookie
            assert guarded.token not in answer.text
            assert "<script" not in answer.text
            assert client.get("/v1/library").status_code == 200
            assert "framefind" in client.get("/").text

    def test_a_computer_of_many_users_can_ask_for_it_too(self, shared_library):
        with serve(shared_library.uri, "--token") as site, site.client() as client:
            assert client.get("/v1/library").status_code == 401
            assert client.get("/", params={"token": site.token}).status_code == 200
            assert client.get("/v1/library").status_code == 200

    def test_open_to_all_needs_a_name(self, shared_library):
        command = [sys.executable, "-m", "framefind.cli", "serve", "--host", "0.0.0.0"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2
        assert "--host-name" in ended.stderr


class TestPaths:
    """One route takes a path, and indexes only what it may."""

    @pytest.fixture
    def trusted(self, guarded):
        with guarded.client(Authorization=f"Bearer {guarded.token}") as client:
            yield client

    def test_outside_the_roots(self, trusted, guarded, clips, tmp_path):
        (guarded.root / "link").unlink(missing_ok=True)
        (guarded.root / "link").symlink_to(clips)
        outside = ["/", "/etc", "/etc/passwd", "/no/such/thing", str(clips), "~", "~root",
                   f"{guarded.root}/..", f"{guarded.root}/../x", f"{guarded.root}x",
                   str(guarded.root / "link"), str(guarded.root / "link" / "a.mp4"), "relative",
                   "/proc/self/cwd", str(Path(os.devnull))]  # fmt: skip
        answers = [trusted.post("/v1/jobs", json={"path": path}) for path in outside]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.text for answer in answers}) == 1  # not whether it is there
        assert trusted.get("/v1/jobs").json() == {"jobs": []}

    def test_what_is_no_path(self, trusted, guarded):
        for path in ("", "\0", "a" * 5000, "//server/share", "\\\\server\\share", "\ud800"):
            body = b'{"path": "%s"}' % path.encode("ascii", "backslashreplace").replace(
                b"\\x00", b"\\u0000"
            ).replace(b"\0", b"\\u0000")
            answer = trusted.post(
                "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 422, path[:20]
        for path in ("https://example.org/a.mp4", "s3://bucket/a", "file:///etc/passwd"):
            assert trusted.post("/v1/jobs", json={"path": path}).status_code in (403, 422)
        missing = str(guarded.root / "missing")
        assert trusted.post("/v1/jobs", json={"path": missing}).status_code == 422

    def test_links_that_lead_out_are_not_followed(self, tmp_path, clips):
        root = tmp_path / "root"
        write_clip(root / "in.mp4", [30])
        write_clip(tmp_path / "secret" / "out.mp4", [31])
        (root / "folder").symlink_to(tmp_path / "secret")
        (root / "file.mp4").symlink_to(tmp_path / "secret" / "out.mp4")
        (root / "inner.mp4").symlink_to(root / "in.mp4")
        library = tmp_path / "l.framefind"
        with serve(library, "--allow-root", str(root)) as site, site.client() as client:
            job = client.post("/v1/jobs", json={"path": str(root)}).json()
            assert finished(client, job["id"])["state"] == "done"
            listed = client.get("/v1/videos").json()["videos"]
        assert [video["name"] for video in listed] == ["in.mp4"]

    def test_here_everything_may_be_indexed(self, tmp_path):
        clip = write_clip(tmp_path / "in.mp4", [30])
        with serve(tmp_path / "l.framefind") as site, site.client() as client:
            job = client.post("/v1/jobs", json={"path": str(clip)}).json()
            assert finished(client, job["id"])["report"]["indexed"] == [str(clip)]

    @pytest.mark.parametrize(
        "path",
        ["/../pyproject.toml", "/..%2f..%2fpyproject.toml", "/%2e%2e/__init__.py", "/..\\x",
         "/v1/videos/..%2f..%2fetc%2fpasswd", "/v1/videos/../../etc/passwd/stream", "/%00",
         "/v1/videos/%2Fetc%2Fpasswd/stream", "/index.html/../../__init__.py", "/__init__.py",
         "/.git/config", "//etc/passwd", "/security.py"],
    )  # fmt: skip
    def test_no_file_but_the_page(self, served, path):
        raw = served.raw(
            f"GET {path} HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n"
        )
        assert int(raw.split(b" ", 2)[1]) in (400, 404, 422)
        assert b"import" not in raw
        assert b"root:" not in raw

    def test_a_video_that_became_a_link_is_not_sent(self, tmp_path):
        clip = write_clip(tmp_path / "in.mp4", [30])
        library = framefind.open(tmp_path / "l.framefind")
        library.index(clip)
        video_id = library.videos()[0].video_id
        clip.unlink()
        clip.symlink_to("/etc/hostname")
        with serve(library.uri) as site, site.client() as client:
            for part in ("/stream", "/clip?start=0&end=1", "/frames/0.jpg"):
                assert client.get(f"/v1/videos/{video_id}{part}").status_code == 404

    def test_queries_open_no_files_and_no_addresses(self, served, tmp_path):
        picture = tmp_path / "secret.png"
        picture.write_bytes(png(8, 8))
        with served.client() as client:
            for image in (str(picture), f"file://{picture}", "http://127.0.0.1:1/a.png",
                          f"{picture}@1", f"{picture}#0,0,1,1"):  # fmt: skip
                assert client.get("/v1/search", params={"image": image}).status_code == 422
                answer = client.post("/v1/search", data={"image": image}, files={"x": b""})
                assert answer.status_code == 422


def finished(client: httpx.Client, job: str) -> dict:
    for _ in range(600):
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] in ("done", "failed", "cancelled"):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """A black PNG of that size; its pixels may be missing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    if rows is None:
        rows = zlib.compress(bytes(1 + 3 * width) * height)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zeros as zlib compresses them, made of one part of them again and again."""
    part = count // 500
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)  # depends on no other
    rest = zlib.compressobj(9, wbits=-15)
    last = rest.compress(bytes(count - 500 * part)) + rest.flush()
    adler = (count % 65521) << 16 | 1
    return b"\x78\xda" + packed * 500 + last + adler.to_bytes(4, "big")


class TestBounds:
    def memory(self, site: Site) -> int:
        """The most memory that the server has had, in bytes."""
        for line in Path(f"/proc/{site.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError

    def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(self, shared_library):
        bomb = png(50_000, 50_000, zeros(50_000 * (1 + 3 * 50_000)))
        assert len(bomb) < 32 * 2**20
        with serve(shared_library.uri) as site, site.client() as client:
            client.get("/v1/search", params={"q": "a"})
            before = self.memory(site)
            for _ in range(2):
                answer = client.post("/v1/search", files={"image": bomb})
                assert answer.status_code == 422
                assert "pixels" in answer.json()["detail"]
            assert self.memory(site) - before < 200 * 2**20  # decoded it takes 7.5 GB

    @pytest.mark.parametrize(
        "picture",
        [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
         b"P6 10 10 255\n" + bytes(300)],
    )  # fmt: skip
    def test_formats_that_nobody_needs_are_not_decoded(self, api, picture):
        assert api.post("/v1/search", files={"image": picture}).status_code == 422

    def test_large_bodies(self, served):
        with served.client() as client:
            huge = {"image": io.BytesIO(bytes(33 * 2**20))}
            assert client.post("/v1/search", files=huge).status_code == 413
        host = f"Host: localhost:{served.port}"
        lines = ("POST /v1/jobs HTTP/1.1", host, "Content-Type: application/json")
        assert served.status(*lines, f"Content-Length: {10**15}") == 413
        assert served.status(*lines, "Content-Length: -1") == 400

    def test_large_bodies_that_do_not_say_so(self, served):
        def parts() -> Iterator[bytes]:
            for _ in range(40):
                yield bytes(2**20)

        with served.client() as client:
            try:
                answer = client.post(
                    "/v1/search",
                    content=parts(),
                    headers={"Content-Type": "multipart/form-data; boundary=x"},
                )
                assert answer.status_code in (400, 413)
            except httpx.WriteError:
                pass  # it hung up
            assert client.get("/healthz").status_code == 200

    def test_many_parts(self, api):
        many = [("image", (f"{at}.png", png(4, 4))) for at in range(20)]
        assert api.post("/v1/search", files=many).status_code in (400, 422)
        fields = {f"f{at}": "x" for at in range(1000)}
        answer = api.post("/v1/search", data=fields, files={"image": png(4, 4)})
        assert answer.status_code in (400, 422)

    def test_long_addresses_and_headers(self, served):
        host = f"Host: localhost:{served.port}"
        assert served.status(f"GET /v1/search?q={'a' * 9000} HTTP/1.1", host) == 414
        assert served.status("GET /healthz HTTP/1.1", host, f"X: {'a' * 70000}") in (400, 431)

    def test_half_a_request_is_not_waited_for_for_ever(self, shared_library):
        limits = {"_MAX_IDLE_SECONDS": 2.0, "_CHECK_SECONDS": 0.5}
        with (
            serve(shared_library.uri, limits=limits) as site,
            socket.create_connection(("127.0.0.1", site.port)) as connection,
        ):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localh")
            connection.settimeout(40)
            began = time.monotonic()
            while connection.recv(1024):
                pass
            assert 1.5 < time.monotonic() - began < 35


class TestAnswers:
    def test_every_answer_is_strict(self, served):
        paths = ["/", "/v1/library", "/v1/nothing", "/v1/search", "/docs", "/openapi.json"]
        with served.client() as client:
            for answer in [client.get(path) for path in paths] + [client.put("/v1/jobs")]:
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "http:" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert "server" not in answer.headers
            assert served.raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").count(
                b"content-security-policy"
            )

    def test_the_docs_need_nothing_from_elsewhere(self, api):
        page = api.get("/docs").text
        assert "/v1/search" in page
        assert "<script" not in page
        assert "https://" not in page.replace("https://www.rfc-editor.org", "")

    def test_problems_tell_nothing_of_the_file_system(self, tmp_path, clips):
        library = framefind.open(tmp_path / "l.framefind")
        library.index(clips / "c.mp4")
        with serve(library.uri) as site, site.client() as client:
            video_id = client.get("/v1/videos").json()["videos"][0]["video_id"]
            for folder in (tmp_path / "l.framefind").iterdir():
                if folder.is_dir() and folder.name != "videos":
                    folder.rename(tmp_path / f"away-{folder.name}")
            time.sleep(0.5)
            urls = ["/v1/search?q=a", f"/v1/videos/{video_id}/thumbnails/0.jpg", "/v1/library",
                    f"/v1/videos/{video_id}/scores?q=a", "/readyz", "/nothing",
                    f"/v1/videos/{video_id}/frames/99.jpg"]  # fmt: skip
            for url in urls:
                answer = client.get(url)
                if answer.status_code != 200:
                    assert answer.headers["content-type"] == "application/problem+json", url
                    for secret in (str(tmp_path), "Traceback", "framefind/", ".py"):
                        assert secret not in answer.text, url


def test_an_error_of_ours_tells_nothing_and_is_strict_too():
    async def broken(scope, receive, send):
        raise RuntimeError("/home/someone/secret")

    transport = httpx.ASGITransport(app=Guard(broken, Access()))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get("http://localhost:8000/v1/library")

    answer = alone(ask())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "content-security-policy" in answer.headers
    assert "secret" not in answer.text
