"""A server of a library and of videos in an object store."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import serve
from test_remux import shown, with_sound

import framefind
from stores import Bucket


@pytest.fixture(scope="module")
def kept(store_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    bucket = Bucket("s3://served", store_log)
    bucket.files.mkdir(bucket.uri)
    folder = tmp_path_factory.mktemp("films")
    with_sound(folder / "film.mp4", "libx264")
    with_sound(folder / "film.mkv", "libx264")
    bucket.fill(folder, "v")
    return bucket


@pytest.fixture(scope="module")
def client(kept: Bucket) -> Iterator[httpx.Client]:
    library = framefind.open(f"{kept.uri}/library")
    library.index(f"{kept.uri}/v", views="whole")
    with serve(library.uri) as site, site.client() as client:
        yield client


def url(client: httpx.Client, name: str) -> str:
    (video,) = client.get("/v1/videos", params={"video": f"*{name}"}).json()["videos"]
    return f"/v1/videos/{video['video_id']}"


def test_search_thumbnails_and_frames(client: httpx.Client) -> None:
    answer = client.get("/v1/search", params={"q": "red"}).json()
    assert {moment["path"] for moment in answer["moments"]} == {
        "s3://served/v/film.mp4",
        "s3://served/v/film.mkv",
    }
    for picture in (answer["moments"][0]["thumbnail"], url(client, "mp4") + "/frames/1.5.jpg"):
        assert client.get(picture).headers["content-type"] == "image/jpeg"


def test_the_file_in_ranges(client: httpx.Client, kept: Bucket) -> None:
    content = kept.files.cat_file("s3://served/v/film.mp4")
    stream = url(client, "mp4") + "/stream"
    whole = client.get(stream)
    assert (whole.status_code, whole.content) == (200, content)
    assert client.get(stream, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    kept.requests("")
    part = client.get(stream, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, content[100:300])
    assert sum(size for method, size in kept.requests("v/film.mp4") if method == "GET") == 200
    assert client.head(stream).headers["content-length"] == str(len(content))


def test_what_is_made_of_it(client: httpx.Client) -> None:
    times = [t for t, _ in shown(client.get(url(client, "mkv") + "/stream?start=2").content)]
    assert (times[0], len(times)) == (0.0, 20)
    clip = client.get(url(client, "mp4") + "/clip?start=1&end=2").content
    assert len(shown(clip)) == 10


def test_a_video_that_is_gone_or_cannot_be_read(client: httpx.Client, kept: Bucket) -> None:
    video = url(client, "mkv")
    stream = f"{video}/stream"
    with kept.closed("film.mkv"):
        for address in (stream, f"{video}/frames/1.jpg", f"{video}/clip?start=0&end=1"):
            assert client.get(address).status_code == 503
        assert client.get(video).json()["stream"] is None
    kept.files.rm("s3://served/v/film.mkv")
    assert client.get(stream).status_code == 404
