import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framefind.errors import LibraryError, StoreError
from framefind.files import objects
from framefind.files.names import find_existing, resolve_path, stat_path
from framefind.files.objects import canonical_uri, find_object, is_remote
from framefind.tables.address import as_library_error
from framefind.video.bucket_file import BucketFile
from framefind.video.identity import video_id
from stores import Bucket

SIZE = 5_000_000
CONTENT = os.urandom(SIZE)
few = settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
places = st.lists(st.tuples(st.integers(0, SIZE + 9), st.integers(0, 400_000)), max_size=12)


@pytest.fixture(scope="module")
def uri(store_log: Path) -> str:
    bucket = Bucket("s3://contents", store_log)
    bucket.files.mkdir(bucket.uri)
    return bucket.put("some file.bin", CONTENT)


class TestReader:
    def test_an_id_is_not_made_up_when_the_store_breaks_off(self, uri):
        reader = objects.open_object(uri)
        known = video_id(uri, reader)
        reader = objects.open_object(uri)
        reader.uri += ".gone"
        with pytest.raises(StoreError, match="there is no such object"):
            video_id(uri, reader)
        assert video_id(uri) == known

    @few
    @given(places, st.sampled_from([0, 2**16]))
    def test_gives_the_bytes_of_the_object(self, uri, found, least):
        reader = objects.open_object(uri)
        for offset, size in found:
            assert reader.at(offset, size, least) == CONTENT[offset : offset + size]

    @few
    @given(places)
    def test_as_a_file(self, uri, found):
        file = BucketFile(find_object(uri))
        for offset, size in found:
            assert file.seek(offset) == file.tell() == offset
            assert file.read(size) == CONTENT[offset : offset + size]
            assert file.tell() == min(offset + size, max(offset, SIZE))
        assert file.seek(-5, os.SEEK_END) == SIZE - 5
        assert file.read() == CONTENT[-5:]

    def test_asks_for_nothing_twice_and_reads_ahead_in_a_row_only(self, uri):
        reader = objects.open_object(uri)
        for _ in range(2):
            for offset in range(0, SIZE, 900_000):
                reader.at(offset, 10)
        assert reader.fetched == 60
        reader = objects.open_object(uri)
        for offset in range(0, SIZE // 2, 1000):
            reader.at(offset, 1000)
        assert SIZE // 2 < reader.fetched < SIZE // 2 * 1.3

    def test_keeps_a_bounded_part(self, uri, monkeypatch):
        monkeypatch.setattr(objects, "_MAX_CACHED_BYTES", 1000)
        reader = objects.open_object(uri)
        for at in (0, 1_000_000, 2_000_000, 0):
            assert reader.at(at, 400) == CONTENT[at : at + 400]
        assert reader.fetched == 1600

    def test_an_object_that_is_gone_is_an_error(self, bucket):
        uri = bucket.put("a", b"123")
        reader = objects.open_object(uri)
        bucket.files.rm(uri)
        with pytest.raises(StoreError, match=rf"{uri}: there is no such object"):
            reader.at(0, 1)


class TestFacts:
    @pytest.mark.parametrize("listed", [0, 1000])
    def test_what_is_there(self, bucket, tmp_path, monkeypatch, listed):
        monkeypatch.setattr(objects, "_MAX_SINGLE_LOOKUPS", listed)
        uris = [bucket.put(f"deep/{at}/film.mp4", b"x" * at) for at in range(1, 4)]
        uris += [f"{bucket.uri}/deep/9/film.mp4"]
        (tmp_path / "a").touch()
        bucket.requests("")
        paths = [str(tmp_path / "a"), str(tmp_path / "b")]
        assert find_existing([*uris, *paths]) == {*uris[:3], paths[0]}
        methods = {method for method, _ in bucket.requests("deep/")}
        assert methods == (set() if listed == 0 else {"HEAD"})
        found = find_object(uris[1])
        assert found
        assert stat_path(uris[1]) == (2, found.modified)
        assert stat_path(uris[3]) is None

    def test_what_must_not_be_looked_at_is_there(self, bucket):
        uri = bucket.put("a.forbidden", b"x")
        assert find_existing([uri]) == {uri}

    def test_a_bucket_that_is_not_there(self, bucket):
        assert find_existing(["s3://no-bucket-of-that-name/a"]) == set()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3a://b/k.mp4", "s3://b/k.mp4"),
        ("S3n://b/k/", "s3://b/k"),
        ("s3://b/a//b c%20#?é.mp4", "s3://b/a//b c%20#?é.mp4"),
        ("gcs://b", "gs://b"),
        ("abfs://c@a.dfs.core.windows.net/k", "abfss://c@a.dfs.core.windows.net/k"),
        ("/a/b.mp4", "/a/b.mp4"),
    ],
)
def test_canonical(given: str, expected: str) -> None:
    assert canonical_uri(given) == expected
    assert canonical_uri(expected) == expected
    assert is_remote(expected) == ("://" in given)


def test_file_uris_are_local(tmp_path: Path) -> None:
    for name in ("a b é.mp4", "100%.mp4", "a%20b.mp4"):
        path = tmp_path / name
        path.touch()
        written: list[Callable[[], str]] = [path.as_uri, lambda path=path: f"file:{path}"]
        assert {resolve_path(uri()) for uri in written} == {str(path.resolve())}


@pytest.mark.parametrize("uri", ["hdfs://a/b", "https://a/b.mp4", "s3://", "s3:///k"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(StoreError, match=uri):
        canonical_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:SECRET@bucket/a.mp4",
        "s3a://SECRET@bucket/a.mp4",
        "abfss://user:SECRET@c@a.dfs.core.windows.net/k",
        "https://store.example/a.mp4?X-Amz-Credential=SECRET&X-Amz-Signature=SECRET",
        "https://me:SECRET@store.example/a.mp4",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_told(uri: str) -> None:
    with pytest.raises(StoreError, match=r"credentials|unknown kind of store") as told:
        canonical_uri(uri)
    assert "SECRET" not in str(told.value)
    assert "/a.mp4" in str(told.value) or "windows.net/k" in str(told.value)


def test_errors_of_stores_tell_no_secrets() -> None:
    message = 'GET "http://me:SECRET@h:9/b?sig=SECRET&x=1" after 3 tries: c@a.dfs.core.windows.net'
    expected = 'GET "http://h:9/b" after 3 tries: c@a.dfs.core.windows.net'
    assert objects.hide_secrets(message) == expected
    with pytest.raises(LibraryError, match="http://h:9/b") as told, as_library_error("no"):
        raise OSError(message)
    assert "SECRET" not in str(told.value)


def test_a_store_without_ranges_is_an_error_not_other_bytes(bucket: Bucket) -> None:
    uri = bucket.put("a.rangeless", bytes(range(100)))
    reader = objects.open_object(uri)
    with pytest.raises(StoreError, match="does not give parts of objects"):
        reader.at(10, 5)
    assert reader.at(0, 100) == bytes(range(100))


@pytest.mark.parametrize(
    ("uri", "extra"), [("gs://b/k", "gcs"), ("abfss://c@a.dfs.core.windows.net/k", "azure")]
)
def test_stores_whose_package_is_missing(
    uri: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"gcs": "gcsfs", "azure": "adlfs"}[extra], None)
    with pytest.raises(StoreError, match=rf"pip install 'framefind\[{extra}\]'"):
        find_object(uri)
