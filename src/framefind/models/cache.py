"""Small arrays that a model computed once, kept in the user's cache folder."""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from framefind.files.folders import cache_folder
from framefind.models.base import Model


def cache_path(model: Model, content: bytes) -> Path:
    """Return the path of the .npz that holds what a model made of some content."""
    key = blake2b(content + repr(sorted(model.fingerprint.items())).encode(), digest_size=16)
    return cache_folder() / "neutral" / f"{key.hexdigest()}.npz"


def save_cached(path: Path, save: Callable[[Path], None]) -> None:
    """Write a file of the cache with `save`, atomically; a failure costs time only."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.npz")
        save(fresh)
        fresh.replace(path)
