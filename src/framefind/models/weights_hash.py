"""What is read out of all of some weights, which are gigabytes: their hashes, and other facts.

It is remembered by path and what `stat` tells of the files.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from framefind.files.disk import replace
from framefind.files.folders import cache_folder

_BLOCK_BYTES = 1 << 20


def weights_hash(files: Sequence[Path]) -> str:
    """Return BLAKE2b-128 over the content of the files, in hex. Raises OSError."""
    return remember_fact("blake2b", files, lambda: _digest(hashlib.blake2b(digest_size=16), files))


def sha256(file: Path) -> str:
    """Return SHA-256 of a file's content, in hex, as the hub names large files. Raises OSError."""
    return remember_fact("sha256", [file], lambda: _digest(hashlib.sha256(), [file]))


def remember_fact(name: str, files: Sequence[Path], find: Callable[[], str]) -> str:
    """Return what `find` tells of some files, which it reads only if they changed since it did.

    `name` is that of the fact. Raises OSError.
    """
    facts = [(str(file), *_stamp(file)) for file in files]
    key = hashlib.blake2b(repr((name, facts)).encode(), digest_size=16).hexdigest()
    cached = cache_folder() / "weights" / key
    with suppress(OSError, ValueError):
        if fact := cached.read_text("utf-8"):  # another process may be about to write it
            return fact
    fact = find()
    with suppress(OSError):  # a cache that cannot be written costs time only
        cached.parent.mkdir(parents=True, exist_ok=True)
        replace(cached, fact.encode())
    return fact


def _stamp(file: Path) -> tuple[int, ...]:
    """Return what changes with a file's content, also where a copy keeps the modified time."""
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def _digest(digest: "hashlib._Hash | hashlib.blake2b", files: Sequence[Path]) -> str:
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
