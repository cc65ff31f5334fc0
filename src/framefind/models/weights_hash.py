"""Hashes of weights, which are gigabytes: cached by path and what `stat` tells of the file."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from framefind.files.folders import cache_folder

_BLOCK_BYTES = 1 << 20


def weights_hash(files: Sequence[Path]) -> str:
    """Return BLAKE2b-128 over the content of the files, in hex. Raises OSError."""
    return _cached_digest("blake2b", files)


def sha256(file: Path) -> str:
    """Return SHA-256 of a file's content, in hex, as the hub names large files. Raises OSError."""
    return _cached_digest("sha256", [file])


def _stamp(file: Path) -> tuple[int, ...]:
    """Return what changes with a file's content, also where a copy keeps the modified time."""
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def _cached_digest(algorithm: str, files: Sequence[Path]) -> str:
    facts = [(str(file), *_stamp(file)) for file in files]
    key = hashlib.blake2b(repr((algorithm, facts)).encode(), digest_size=16).hexdigest()
    cached = cache_folder() / "weights" / key
    with suppress(OSError):
        return cached.read_text("ascii")
    digest = hashlib.sha256() if algorithm == "sha256" else hashlib.blake2b(digest_size=16)
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    with suppress(OSError):  # a cache that cannot be written costs time only
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(digest.hexdigest(), "ascii")
    return digest.hexdigest()
