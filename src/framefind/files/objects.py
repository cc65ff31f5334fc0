"""Object stores: list and look up objects, and read parts of them.

An object's path is its URI: `s3://bucket/key`, `gs://bucket/key`,
`abfss://container@account.dfs.core.windows.net/key`. fsspec and one package per store (s3fs, gcsfs,
adlfs) do the talking, with the credentials that each takes from its usual environment variables.
They are imported when the first URI is met.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from framefind.errors import StoreError

_STORES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs"}
_STORES |= {"abfss": "abfss", "abfs": "abfss"}
_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "abfss": ("adlfs", "azure")}

_PASSWORD = re.compile(r"(?<=://)[^/@\s\"':]*:[^/@\s\"']*@")
_QUERY = re.compile(r"(https?://[^\s?\"']*)\?[^\s\"']*")  # of a signed URL

_MAX_SINGLE_LOOKUPS = 1000  # objects of one bucket; more are found by listing a folder
_PARALLEL_REQUESTS = 16
_MIN_READ_AHEAD = 2**16  # bytes
_MAX_READ_AHEAD = 2**22  # bytes
_READ_AHEAD_DIVISOR = 4  # a quarter of what was read in sequence is read ahead
_MAX_CACHED_BYTES = 2**25  # in one reader


@dataclass(frozen=True)
class Object:
    """An object, as the store lists it: `size` in bytes, `modified` in microseconds since 1970.

    Full seconds only: a store may be more exact in a listing than about one object.
    """

    uri: str
    size: int
    modified: int


def is_remote(path: str) -> bool:
    """Return whether a path is the URI of an object or a folder in a store."""
    return "://" in path


def canonical_uri(path: str) -> str:
    """Return a URI in the one form that is stored, and a `file:` URI or a path as a path.

    Raises StoreError for a URI of an unknown kind of store, and for one with credentials, which
    would be stored and shown with every result.
    """
    if path.startswith("file:/"):
        return _local(path)
    if not is_remote(path):
        return path
    scheme, _, address = path.partition("://")
    if scheme.lower() not in _STORES:
        schemes = ", ".join(f"{name}://" for name in _PACKAGES)
        raise StoreError(
            f"{hide_secrets(path)}: unknown kind of store; use a path, {schemes} or file://"
        )
    bucket, slash, key = address.partition("/")
    if not bucket:
        raise StoreError(f"{path}: name a bucket")
    user, at, host = bucket.rpartition("@")
    if ":" in user or (at and _STORES[scheme.lower()] != "abfss"):
        raise StoreError(
            f"{scheme}://{host}{slash}{key}: leave credentials out of URIs, and set the store's "
            "usual variables, such as AWS_ACCESS_KEY_ID"
        )
    return f"{_STORES[scheme.lower()]}://{bucket}{slash}{key}".rstrip("/")


def find_object(uri: str) -> Object | None:
    """Return the object at a URI, or None if a folder (a common prefix of keys) is there instead.

    Raises StoreError if neither exists or the store does not answer.
    """
    store = _filesystem(uri)
    try:
        entry = store.info(uri)
    except Exception as error:  # each store has errors of its own
        raise _as_store_error(uri, error) from None
    return _object(uri, entry) if entry["type"] == "file" else None


def open_object(uri: str) -> "ObjectReader":
    """Open the object at a URI for reading. Raises StoreError if it cannot be read."""
    file = find_object(uri)
    if file is None:
        raise StoreError(f"{uri}: a folder, not an object")
    return ObjectReader(file)


def list_objects(uri: str, depth: int | None = None) -> list[Object]:
    """Return all objects below a folder, by key; with `depth` 1 those in it alone.

    Raises StoreError if they cannot be listed.
    """
    store = _filesystem(uri)
    try:
        entries = store.find(uri, maxdepth=depth, detail=True)
    except Exception as error:
        raise _as_store_error(uri, error) from None
    bucket = "/".join(uri.split("/", 3)[:3])
    return [
        _object(f"{bucket}/{name.partition('/')[2]}", entry)
        for name, entry in sorted(entries.items())
        if entry["type"] == "file" and not name.endswith("/")  # others stand for folders
    ]


def stat_objects(uris: Collection[str]) -> dict[str, Object | None]:
    """Return the objects at the URIs; None for those that are gone.

    Up to 1,000 of a bucket are looked up in parallel; of more, their common folder is listed.
    Objects without permission to look count as existing. Raises StoreError when a store does not
    answer, so that nothing is taken for gone by mistake.
    """
    buckets: dict[str, list[str]] = {}
    for uri in uris:
        buckets.setdefault("/".join(uri.split("/", 3)[:3]), []).append(uri)
    files: dict[str, Object | None] = {}
    for bucket, members in buckets.items():
        if len(members) > _MAX_SINGLE_LOOKUPS:
            common = os.path.commonprefix(members)  # noqa: RUF071 - of keys, not of paths
            folder = max(common.rpartition("/")[0], bucket, key=len)
            listed = {file.uri: file for file in list_objects(folder)}
            files |= {uri: listed.get(uri) for uri in members}
        else:
            _filesystem(bucket)  # not in many threads at once
            with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
                files |= zip(members, pool.map(_stat, members), strict=True)
    return files


class ObjectReader:
    """Reads parts of an object, and caches the last 32 MiB.

    Each request reads ahead, the further the more was read in sequence before it. Raises
    StoreError when the object cannot be read.
    """

    def __init__(self, file: Object) -> None:
        self.uri = file.uri
        self.size = file.size
        self.fetched = 0
        """Bytes that were requested from the store."""
        self.requests = 0
        self._store = _filesystem(file.uri)
        self._parts: OrderedDict[int, bytes] = OrderedDict()  # by offset, least recently used first
        self._cached = 0  # bytes
        self._end = 0  # of the last request
        self._row = 0  # bytes read in sequence

    def at(self, offset: int, size: int, min_size: int = 0) -> bytes:
        """Return up to `size` bytes from `offset` on, fewer at the end of the object.

        What is not cached is requested, at least `min_size` bytes at a time.
        """
        pieces = []
        end = min(offset + size, self.size)
        while offset < end:
            start, data = self._part(offset) or self._fetch(offset, max(end - offset, min_size))
            pieces.append(data[offset - start : end - start])
            offset += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _part(self, offset: int) -> tuple[int, bytes] | None:
        for start, data in reversed(self._parts.items()):
            if start <= offset < start + len(data):
                self._parts.move_to_end(start)
                return start, data
        return None

    def _fetch(self, offset: int, size: int) -> tuple[int, bytes]:
        ahead = min(max(_MIN_READ_AHEAD, self._row // _READ_AHEAD_DIVISOR), _MAX_READ_AHEAD)
        near = self._row > 0 and self._end <= offset <= self._end + ahead
        self._row = self._row if near else 0
        end = min(offset + (max(size, ahead) if near else size), self.size)
        try:
            data: bytes = self._store.cat_file(self.uri, start=offset, end=end)
        except Exception as error:
            raise _as_store_error(self.uri, error) from None
        if not data:
            raise StoreError(f"{self.uri}: the object has become shorter")
        if len(data) > end - offset:  # which part it is cannot be told
            raise StoreError(f"{self.uri}: its store does not give parts of objects (HTTP ranges)")
        self.fetched += len(data)
        self.requests += 1
        self._row += len(data)
        self._end = offset + len(data)
        self._keep(offset, data)
        return offset, data

    def _keep(self, offset: int, data: bytes) -> None:
        self._cached += len(data) - len(self._parts.pop(offset, b""))
        self._parts[offset] = data
        while self._cached > _MAX_CACHED_BYTES and len(self._parts) > 1:
            self._cached -= len(self._parts.popitem(last=False)[1])


def _filesystem(uri: str) -> Any:
    """Return the fsspec file system of a URI's store, with its cache of listings off."""
    scheme = uri.partition("://")[0]
    package, extra = _PACKAGES[scheme]
    try:
        from fsspec import get_filesystem_class
        from fsspec.core import url_to_fs

        get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:  # fsspec knows some schemes by their packages only
        raise StoreError(
            f"{uri}: {scheme}:// needs the package {package}: "
            f"pip install 'framefind[{extra}]' ({error})"
        ) from error
    bucket = "/".join(uri.split("/", 3)[:3])  # in a key, `::` would be fsspec's own syntax
    return url_to_fs(bucket, use_listings_cache=False)[0]


def _stat(uri: str) -> Object | None:
    try:
        return _object(uri, _filesystem(uri).info(uri))
    except FileNotFoundError:
        return None
    except PermissionError:
        return Object(uri, 0, 0)
    except Exception as error:
        raise _as_store_error(uri, error) from None


def _object(uri: str, entry: dict[str, Any]) -> Object:
    return Object(uri, int(entry.get("size") or 0), _modified(entry))


def _modified(entry: dict[str, Any]) -> int:
    """Return when an object was modified, by whichever name its store gives that."""
    for name in ("LastModified", "last_modified", "mtime", "updated"):
        moment = entry.get(name)
        if moment is not None:
            modified = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            return int(modified.astimezone(UTC).timestamp()) * 1_000_000
    return 0


def _as_store_error(uri: str, error: Exception) -> StoreError:
    """Return the error of a store as ours: the URI, what went wrong, and what to do."""
    if isinstance(error, StoreError):
        return error
    line = hide_secrets(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        bucket = "bucket" in line and "/" not in line
        line = "there is no such bucket" if bucket else "there is no such object"
    elif isinstance(error, PermissionError):
        line = f"access is refused ({line}): check credentials and permissions"
    elif "credentials" in line.lower():
        line = f"{line}: set the store's usual variables, such as AWS_ACCESS_KEY_ID"
    return StoreError(f"{uri}: {line}")


def hide_secrets(message: str) -> str:
    """Return a message without the passwords and the signatures of URLs in it."""
    return _QUERY.sub(r"\1", _PASSWORD.sub("", message))


def _local(uri: str) -> str:
    """Return the path of a `file:` URI, which may be percent-escaped."""
    path_part = uri.removeprefix("file:")
    path = path_part[2:] if path_part.startswith("//") else path_part
    path = path.removeprefix("localhost")
    if os.name == "nt":
        path = path.lstrip("/")
    return path if os.path.lexists(path) else str(Path(os.fsdecode(unquote(path).encode())))
