"""Read arrays from NumPy's files, one thread at a time.

NumPy parses their headers with `ast`, which is not safe in several threads at once in Python 3.11
(python/cpython#106905).
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
    """Read all arrays of an .npz file. Raises OSError, ValueError or others when it is damaged."""
    with _reading, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
