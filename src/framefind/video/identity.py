"""The identity of a video: the same for a file that is moved, renamed or copied."""

import hashlib
import os
from pathlib import Path

_MIB = 2**20


def video_id(path: str | os.PathLike[str]) -> str:
    """The identity of a file: BLAKE2b-128 (hex) over its size and first, middle and last MiB.

    The size is 8 bytes, little endian. Of a file that cannot be read, over its path.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(size.to_bytes(8, "little"))
            for offset in (0, (size - _MIB) // 2, size - _MIB):
                file.seek(max(0, offset))
                digest.update(file.read(_MIB))
    except OSError:
        digest = hashlib.blake2b(os.fsencode(Path(path).absolute()), digest_size=16)
    return digest.hexdigest()
