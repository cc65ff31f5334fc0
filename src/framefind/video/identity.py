"""The id of a video: the same for a file that is moved, renamed or copied."""

import hashlib
import os
from pathlib import Path

from framefind.errors import StoreError
from framefind.files.objects import ObjectReader, is_remote, open_object

_MIB = 2**20


def video_id(path: str | os.PathLike[str], reader: ObjectReader | None = None) -> str:
    """Return the id of a file: BLAKE2b-128 (hex) over its size and its first, middle and last MiB.

    The size is 8 bytes, little endian. The id of a file that cannot be read is that of its path. An
    object in a store is read through `reader`, if there is one; raises StoreError if that fails.
    """
    name = os.fspath(path)
    try:
        return _remote_id(name, reader) if is_remote(name) else _local_id(name)
    except OSError:
        name = os.path.abspath(name)
    except StoreError:
        if reader:  # the object was open: its id would not be that of its path for long
            raise
    return hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()


def _local_id(path: str) -> str:
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=16)
        for offset in _offsets(size):
            file.seek(offset)
            digest.update(file.read(_MIB))
    return digest.hexdigest()


def _remote_id(uri: str, reader: ObjectReader | None) -> str:
    reader = reader or open_object(uri)
    digest = hashlib.blake2b(reader.size.to_bytes(8, "little"), digest_size=16)
    for offset in _offsets(reader.size):
        digest.update(reader.at(offset, _MIB))
    return digest.hexdigest()


def _offsets(size: int) -> list[int]:
    """Return where the first, the middle and the last MiB begin."""
    return [max(0, offset) for offset in (0, (size - _MIB) // 2, size - _MIB)]
