"""Hashes of weights: of gigabytes, so they are remembered by path, size and modified time."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from framefind.files.folders import cache_folder


def weights_hash(files: Sequence[Path]) -> str:
    """BLAKE2b-128 over the content of the files, in hex. Raises OSError."""
    return _digest("blake2b", files)


def sha256(file: Path) -> str:
    """SHA-256 of a file's content, in hex, as the hub names large files. Raises OSError."""
    return _digest("sha256", [file])


def _digest(kind: str, files: Sequence[Path]) -> str:
    facts = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.blake2b(repr((kind, facts)).encode(), digest_size=16).hexdigest()
    remembered = cache_folder() / "weights" / key
    with suppress(OSError):
        return remembered.read_text("ascii")
    digest = hashlib.sha256() if kind == "sha256" else hashlib.blake2b(digest_size=16)
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    with suppress(OSError):  # a cache that cannot be written costs time only
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.write_text(digest.hexdigest(), "ascii")
    return digest.hexdigest()
