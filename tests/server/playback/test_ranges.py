from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import serve

import framefind
import media
from framefind.server.playback.ranges import UnsatisfiableError, parse_range


@given(st.integers(1, 1000), st.integers(0, 1200), st.integers(0, 1200))
def test_a_range_is_the_bytes_it_names_that_are_there(size, first, last):
    here = [at for at in range(size) if first <= at <= last]
    if first > last:
        assert parse_range(f"bytes={first}-{last}", size) is None
    elif here:
        assert list(parse_range(f"bytes={first}-{last}", size) or []) == here
    else:
        with pytest.raises(UnsatisfiableError):
            parse_range(f"bytes={first}-{last}", size)


@given(st.integers(1, 1000), st.integers(1, 1200))
def test_open_ranges_reach_the_end(size, count):
    assert list(parse_range(f"bytes=-{count}", size) or []) == list(range(size))[-count:]
    if count < size:
        assert list(parse_range(f"bytes={count}-", size) or []) == list(range(count, size))


@given(st.text(max_size=30), st.integers(0, 100))
def test_nonsense_is_never_more_than_there_is(header, size):
    try:
        part = parse_range(header, size)
    except UnsatisfiableError:
        return
    assert part is None or (0 <= part.start < part.stop <= size)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str, bytes]]:
    """A client, and the address and the bytes of a video that is sent as it is."""
    folder = tmp_path_factory.mktemp("ranges")
    file = media.film(folder / "film.mp4", seconds=3)
    library = framefind.open(folder / "l.framefind")
    library.index(file)
    with serve(library.uri) as site, site.client() as client:
        url = f"/v1/videos/{library.videos()[0].video_id}/stream"
        yield client, url, file.read_bytes()


class TestServer:
    @pytest.mark.parametrize(
        ("header", "part"),
        [
            ("bytes=0-0", slice(0, 1)),
            ("bytes=100-199", slice(100, 200)),
            ("bytes=100-", slice(100, None)),
            ("bytes=-10", slice(-10, None)),
            ("bytes=0-99999999999", slice(None)),
        ],
    )
    def test_parts(self, film, header, part):
        client, url, content = film
        answer = client.get(url, headers={"Range": header})
        assert answer.status_code == 206
        assert answer.content == content[part]
        start, stop, _ = part.indices(len(content))
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"
        head = client.head(url, headers={"Range": header})
        assert (head.status_code, head.content) == (206, b"")
        assert head.headers["content-length"] == answer.headers["content-length"]

    @pytest.mark.parametrize("header", ["bytes=5-2", "lines=1-2", "bytes=0-1,5-6", "bytes=", "x"])
    def test_what_we_do_not_understand_is_ignored(self, film, header):
        client, url, content = film
        answer = client.get(url, headers={"Range": header})
        assert (answer.status_code, answer.content) == (200, content)

    @pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
    def test_behind_the_end_there_is_nothing(self, film, header):
        client, url, content = film
        answer = client.get(url, headers={"Range": header})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(content)}"
        assert answer.headers["content-type"] == "application/problem+json"

    def test_conditions(self, film):
        client, url, content = film
        first = client.get(url)
        tag = first.headers["etag"]
        when = first.headers["last-modified"]
        assert (first.content, first.headers["accept-ranges"]) == (content, "bytes")
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
        assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
        assert client.get(url, headers={"If-Modified-Since": when}).status_code == 304
        part = {"Range": "bytes=0-9"}
        assert client.get(url, headers=part | {"If-Range": tag}).status_code == 206
        assert client.get(url, headers=part | {"If-Range": when}).status_code == 206
        changed = client.get(url, headers=part | {"If-Range": '"other"'})
        assert (changed.status_code, changed.content) == (200, content)
        assert client.get(url, headers=part | {"If-None-Match": tag}).status_code == 304
