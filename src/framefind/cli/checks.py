"""What `framefind doctor` checks."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from framefind.cli.status import list_losses
from framefind.counts import write_count
from framefind.errors import FramefindError, LibraryError, UsageError

MIN_FREE_BYTES = 1 << 30

_PACKAGES = (
    "av",
    "onnxruntime",
    "tokenizers",
    "huggingface_hub",
    "numpy",
    "pyarrow",
    "deltalake",
    "pillow",
)


def run_checks(library: str | None, device: str) -> Iterator[tuple[str, bool, str]]:
    """Yield each check's name, whether it passed, and the facts, or what is wrong."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "packages": lambda: ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "decoder": _check_decoder,
        "model": lambda: _check_model(device),
        "library": lambda: _check_library(library),
        "index": _check_index,
        "disk": lambda: _check_disk(library),
    }
    for name, check in checks.items():
        try:
            yield name, True, check()
        except UsageError:
            raise
        except (FramefindError, ImportError, OSError, ValueError) as error:
            yield name, False, str(error)


def _check_decoder() -> str:
    """Encode a tiny video and decode it in a worker process, as `index` does."""
    import av
    import numpy as np

    from framefind.video.process import DecoderProcess

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "check.mp4")
        with av.open(path, "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 64
            for level in range(0, 200, 10):
                pixels = np.full((64, 64, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(stream.encode(None))
        worker = DecoderProcess()
        try:
            worker.open(path)
            times = [frame.t for frame in worker.frames("every=1.0", "whole", 32)]
        finally:
            worker.close()
    if times != [0.0, 1.0]:
        raise ValueError(f"a two-second video gave frames at {times}, expected 0 and 1")
    return f"FFmpeg in av {version('av')} decodes in a worker process"


def _check_model(device: str) -> str:
    """Run the self-test of the model that is shipped."""
    from framefind.models import registry

    model = registry.load("mini", device)
    registry.check(model)
    return (
        f"{model.name} embeds pictures and texts into {model.dimensions} dimensions by "
        f"{model.backend}"
    )


def _check_library(library: str | None) -> str:
    """Count what is in the library. Raises LibraryError for losses, or if it cannot be written."""
    from framefind.library import open
    from framefind.tables.tables import Tables

    opened = open(library)
    folder = _find_unwritable(opened.uri)
    if not opened.exists:
        if folder:
            raise LibraryError(f"{opened.uri} cannot be created: {folder} cannot be written")
        return f"{opened.uri}: none yet, `framefind index` creates it"
    opened.vector_index.check_pictures(Tables.open(opened.uri))
    status = opened.status()
    videos = write_count(sum(status.videos.values()), "video")
    facts = f"{opened.uri}: {videos}, {write_count(status.frames, 'frame')}, {status.model}"
    if folder:
        raise LibraryError(
            f"{facts}; {folder} cannot be written: searching works, indexing does not"
        )
    if losses := "; ".join(list_losses(status)):
        raise LibraryError(f"{facts}; {losses}")
    return facts


def _find_unwritable(uri: str) -> Path | None:
    """Return the first folder of a library, or above one to be made, that cannot be written."""
    if not (place := _find_place(uri)):
        return None
    folders = [place]
    if place == Path(uri):
        folders += [path for path in sorted(place.glob("*")) if path.is_dir()]
        folders += sorted(place.glob("*/_delta_log"))
    return next((folder for folder in folders if not os.access(folder, os.W_OK)), None)


def _check_index() -> str:
    """Return what searches large libraries: Faiss, or a scan of all vectors."""
    from framefind.index import ivf

    if ivf.is_installed():
        return "faiss builds inverted lists beyond a million vectors"
    return (
        "without faiss all vectors are scanned, also beyond a million: "
        "pip install 'framefind[large]'"
    )


def _check_disk(library: str | None) -> str:
    """Return how much room is left. Raises LibraryError when it is little."""
    from framefind.library import open

    if not (place := _find_place(open(library).uri)):
        return "the library is in an object store"
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        raise LibraryError(f"{place}: only {free >> 20} MB free; make room before indexing")
    return f"{free >> 30} GB free for the library"


def _find_place(uri: str) -> Path | None:
    """Return the library's folder, or the nearest one above it; None in an object store."""
    from framefind.tables.address import is_local

    if not is_local(uri):
        return None
    return next(path for path in (Path(uri), *Path(uri).parents) if path.exists())
