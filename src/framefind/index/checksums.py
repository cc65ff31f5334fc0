"""Checksums of an index's files: what has been damaged is built again, and never gives an answer.

Small files are checked whole when an index is opened. Vectors and their codes, which are large, are
checked row by row when they are first read: the checksum of a row is the sum of its words, which
costs no more than reading it. So files that are cut, empty, zeroed or overwritten are noticed;
words that change places within a row are not.
"""

import json
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framefind.errors import LibraryError
from framefind.files import disk

SUMS = np.dtype([("codes", "<u8"), ("vectors", "<u8")])
"""Per view: a checksum of its code and scale, and one of its vector and box."""

_SALT = np.uint64(0x9E3779B97F4A7C15)  # or a row of zeros would have the checksum zero


class DamagedIndexError(LibraryError):
    """The files of an index are not as they were written; it has to be built again."""


def sum_rows(*columns: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a checksum of each row of some arrays of equal length: uint64 (n,)."""
    total = np.full(len(columns[0]), _SALT)
    for column in columns:
        flat = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1)
        word = next(size for size in (8, 4, 2, 1) if flat.shape[1] % size == 0)
        total += flat.view(f"<u{word}").sum(axis=1, dtype=np.uint64)
    return total


def crc(array: NDArray[Any], before: int = 0) -> int:
    """Return the CRC-32 of an array's bytes, going on from that of what comes before it."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, before)


def seal(folder: Path) -> dict[str, list[int]]:
    """Sync all files of a folder, and return their sizes and checksums."""
    sealed = {}
    for path in sorted(folder.iterdir()):
        disk.sync(path)
        content = path.read_bytes()
        sealed[path.name] = [len(content), zlib.crc32(content)]
    disk.sync(folder)
    return sealed


def check_sealed(folder: Path, sealed: dict[str, list[int]]) -> None:
    """Raise DamagedIndexError unless a folder's files are as `seal` has found them."""
    for name, (size, checksum) in sealed.items():
        path = folder / name
        if path.stat().st_size < size:
            raise DamagedIndexError(f"{path} is cut short")
        if size and crc(np.memmap(path, np.uint8, "r", shape=(size,))) != checksum:
            raise DamagedIndexError(f"{path} is damaged")


def save_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest of an index, which makes what it names count."""
    text = json.dumps(manifest)
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    disk.replace(folder / "manifest.json", f"{text}\n{digest}\n".encode())


def load_manifest(folder: Path, version: int) -> dict[str, Any]:
    """Return the manifest of an index.

    Raises FileNotFoundError when there is none of that version, and DamagedIndexError.
    """
    path = folder / "manifest.json"
    text, _, digest = path.read_bytes().partition(b"\n")
    if digest.strip() != blake2b(text, digest_size=16).hexdigest().encode():
        if text.startswith(b'{"format": ') and not text.startswith(
            f'{{"format": {version},'.encode()
        ):
            raise FileNotFoundError(path)  # of a version that had no checksums
        raise DamagedIndexError(f"{path} is damaged")
    manifest: dict[str, Any] = json.loads(text)
    if manifest["format"] != version:
        raise FileNotFoundError(path)
    return manifest
