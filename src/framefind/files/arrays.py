"""Arrays in NumPy's files, read by one thread at a time.

NumPy parses their headers with `ast`, which Python 3.11 gets wrong now and then while several
threads do so at once (python/cpython#106905).
"""

from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_reading = Lock()


def load_array(file: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """Read an .npy file, or map it. Raises OSError or ValueError when it is not whole."""
    with _reading:
        return np.asarray(np.load(file, mmap_mode=mmap_mode, allow_pickle=False))


def load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an .npz file. Raises OSError, ValueError and others when it is none."""
    with _reading, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
