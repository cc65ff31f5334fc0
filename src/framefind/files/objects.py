"""Object stores: what lies in them, and objects as files of which only what is asked for is read.

An object's path is its URI: `s3://bucket/key`, `gs://bucket/key`,
`abfss://container@account.dfs.core.windows.net/key`. fsspec and a package per store talk to it,
with the store's usual environment variables; they are imported once a URI is met.
"""

import os
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from framefind.errors import StoreError

_STORES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs"}
_STORES |= {"abfss": "abfss", "abfs": "abfss"}
_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "abfss": ("adlfs", "azure")}

_LISTED = 1000  # objects of one bucket that are asked for one by one rather than listed
_SIDE_BY_SIDE = 16  # requests at once
_LEAST = 2**16  # bytes of a request, but for exact ones
_MOST = 2**22
_SHARE = 4  # of what was read in a row, this part is read ahead
_KEPT = 2**25  # bytes that a reader keeps


@dataclass(frozen=True)
class Object:
    """An object, as the store lists it: `size` in bytes, `modified` in microseconds since 1970.

    Full seconds only: a store may be more exact in a listing than about one object.
    """

    uri: str
    size: int
    modified: int


def is_remote(path: str) -> bool:
    """Whether a path is the URI of an object or a folder in a store."""
    return "://" in path


def canonical_uri(path: str) -> str:
    """A URI the way it is stored; of a local `file:` URI its path; any other path as it is.

    Raises StoreError for a URI of no store that is known.
    """
    if path.startswith("file:/"):
        return _local(path)
    if not is_remote(path):
        return path
    scheme, _, rest = path.partition("://")
    if scheme.lower() not in _STORES:
        known = ", ".join(f"{name}://" for name in _PACKAGES)
        raise StoreError(f"{path}: no store of that kind is known; use a path, {known} or file://")
    bucket, slash, key = rest.partition("/")
    if not bucket:
        raise StoreError(f"{path}: name a bucket")
    return f"{_STORES[scheme.lower()]}://{bucket}{slash}{key}".rstrip("/")


def find_object(uri: str) -> Object | None:
    """The object at a URI; None if a folder (a common beginning of keys) is there instead.

    Raises StoreError if there is neither, or it cannot be told.
    """
    store = _filesystem(uri)
    try:
        entry = store.info(uri)
    except Exception as error:  # each store has errors of its own
        raise _explained(uri, error) from None
    return _object(uri, entry) if entry["type"] == "file" else None


def open_object(uri: str) -> "ObjectReader":
    """The object at a URI, to be read. Raises StoreError if there is none to read."""
    found = find_object(uri)
    if found is None:
        raise StoreError(f"{uri}: a folder, not an object")
    return ObjectReader(found)


def list_objects(uri: str) -> list[Object]:
    """All objects below a folder, by key. Raises StoreError if they cannot be listed."""
    store = _filesystem(uri)
    try:
        found = store.find(uri, detail=True)
    except Exception as error:
        raise _explained(uri, error) from None
    bucket = "/".join(uri.split("/", 3)[:3])
    return [
        _object(f"{bucket}/{name.partition('/')[2]}", entry)
        for name, entry in sorted(found.items())
        if entry["type"] == "file" and not name.endswith("/")  # others stand for folders
    ]


def stat_objects(uris: Collection[str]) -> dict[str, Object | None]:
    """The objects at some URIs, None for those that are gone.

    Few are asked for one by one, at once; the common folder of many is listed instead. Raises
    StoreError when a store cannot be asked, so that nothing is taken for gone by mistake; what
    must not be looked at is there.
    """
    buckets: dict[str, list[str]] = {}
    for uri in uris:
        buckets.setdefault("/".join(uri.split("/", 3)[:3]), []).append(uri)
    found: dict[str, Object | None] = {}
    for bucket, members in buckets.items():
        if len(members) > _LISTED:
            ends = zip(min(members), max(members), strict=False)
            common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], ends))
            folder = max(common.rpartition("/")[0], bucket, key=len)
            there = {known.uri: known for known in list_objects(folder)}
            found |= {uri: there.get(uri) for uri in members}
        else:
            _filesystem(bucket)  # not in many threads at once
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                found |= zip(members, pool.map(_there, members), strict=True)
    return found


class ObjectReader:
    """Reads parts of an object.

    Each request reads a little ahead: the further, the more was read in a row before it. The last
    32 MiB are kept. Raises StoreError when the object cannot be read.
    """

    def __init__(self, found: Object) -> None:
        self.uri, self.size = found.uri, found.size
        self.fetched = 0
        """Bytes that were asked of the store."""
        self.requests = 0
        self._store = _filesystem(found.uri)
        self._parts: OrderedDict[int, bytes] = OrderedDict()  # by where they begin, last used last
        self._kept = 0
        self._end = 0  # of the last request
        self._row = 0  # bytes read in a row

    def at(self, offset: int, size: int, least: int = 0) -> bytes:
        """The bytes from `offset` on, as far as there are any.

        What is not kept is asked for, at least `least` bytes of it.
        """
        pieces = []
        end = min(offset + size, self.size)
        while offset < end:
            start, data = self._part(offset) or self._fetch(offset, max(end - offset, least))
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
        ahead = min(max(_LEAST, self._row // _SHARE), _MOST)
        near = self._row > 0 and self._end <= offset <= self._end + ahead
        self._row = self._row if near else 0
        end = min(offset + (max(size, ahead) if near else size), self.size)
        try:
            data: bytes = self._store.cat_file(self.uri, start=offset, end=end)
        except Exception as error:
            raise _explained(self.uri, error) from None
        if not data:
            raise StoreError(f"{self.uri}: the object has become shorter")
        self.fetched += len(data)
        self.requests += 1
        self._row += len(data)
        self._end = offset + len(data)
        self._keep(offset, data)
        return offset, data

    def _keep(self, offset: int, data: bytes) -> None:
        self._kept += len(data) - len(self._parts.pop(offset, b""))
        self._parts[offset] = data
        while self._kept > _KEPT and len(self._parts) > 1:
            self._kept -= len(self._parts.popitem(last=False)[1])


def _filesystem(uri: str) -> Any:
    """What talks to the store of a URI; lists afresh each time."""
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


def _there(uri: str) -> Object | None:
    try:
        return _object(uri, _filesystem(uri).info(uri))
    except FileNotFoundError:
        return None
    except PermissionError:
        return Object(uri, 0, 0)
    except Exception as error:
        raise _explained(uri, error) from None


def _object(uri: str, entry: dict[str, Any]) -> Object:
    return Object(uri, int(entry.get("size") or 0), _modified(entry))


def _modified(entry: dict[str, Any]) -> int:
    """When an object was modified, under the name that its store has for that."""
    for name in ("LastModified", "last_modified", "mtime", "updated"):
        moment = entry.get(name)
        if moment is not None:
            found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            return int(found.astimezone(UTC).timestamp()) * 1_000_000
    return 0


def _explained(uri: str, error: Exception) -> StoreError:
    """What went wrong, in words, after the URI."""
    if isinstance(error, StoreError):
        return error
    line = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        bucket = "bucket" in line and "/" not in line
        line = "there is no such bucket" if bucket else "there is no such object"
    elif isinstance(error, PermissionError):
        line = f"access is refused ({line}): check credentials and permissions"
    elif "credentials" in line.lower():
        line = f"{line}: set the store's usual variables, such as AWS_ACCESS_KEY_ID"
    return StoreError(f"{uri}: {line}")


def _local(uri: str) -> str:
    """The path of a `file:` URI, whose bytes may be percent-escaped."""
    rest = uri.removeprefix("file:")
    path = rest[2:] if rest.startswith("//") else rest
    path = path.removeprefix("localhost")
    if os.name == "nt":
        path = path.lstrip("/")
    return path if os.path.lexists(path) else str(Path(os.fsdecode(unquote(path).encode())))
