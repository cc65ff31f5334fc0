"""The doctor: does everything that framefind needs work on this machine?"""

import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from framefind.errors import FramefindError, UsageError
from framefind.library import open
from framefind.models import registry
from framefind.tables.address import is_local

_NEEDED = (
    "av",
    "onnxruntime",
    "tokenizers",
    "huggingface_hub",
    "numpy",
    "pyarrow",
    "deltalake",
    "pillow",
)


def examine(library: str | None, device: str) -> Iterator[tuple[str, bool, str]]:
    """Run each check; gives its name, whether it passed, and what it found or what to do."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "packages": lambda: ", ".join(f"{name} {version(name)}" for name in _NEEDED),
        "decoder": _decoder,
        "model": lambda: _model(device),
        "library": lambda: _library(library),
        "disk": lambda: _disk(library),
    }
    for name, check in checks.items():
        try:
            yield name, True, check()
        except UsageError:
            raise
        except (FramefindError, ImportError, OSError, ValueError) as error:
            yield name, False, str(error)


def _decoder() -> str:
    """Encode a tiny video and decode it in a worker, as `index` does."""
    import av
    import numpy as np

    from framefind.video.process import Worker

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "check.mp4")
        with av.open(path, "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 64
            for level in range(0, 200, 10):
                picture = np.full((64, 64, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode(None))
        worker = Worker()
        try:
            worker.open(path)
            times = [frame.t for frame in worker.frames("every=1.0", "whole", 32)]
        finally:
            worker.close()
    if times != [0.0, 1.0]:
        raise ValueError(f"a two-second video gave frames at {times}, expected 0 and 1")
    return f"FFmpeg in av {version('av')} decodes in a worker process"


def _model(device: str) -> str:
    model = registry.load("mini", device)
    registry.check(model)
    return (
        f"{model.name} embeds pictures and texts into {model.dimensions} dimensions by "
        f"{model.backend}"
    )


def _library(library: str | None) -> str:
    opened = open(library)
    if not opened.exists:
        return f"{opened.uri}: none yet, `framefind index` creates it"
    facts = opened.status()
    return (
        f"{opened.uri}: {sum(facts.videos.values())} videos, {facts.frames} frames, {facts.model}"
    )


def _disk(library: str | None) -> str:
    uri = open(library).uri
    if not is_local(uri):
        return "the library is in an object store"
    folder = next(parent for parent in (Path(uri), *Path(uri).parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < 1 << 30:
        raise ValueError(f"{folder}: only {free >> 20} MB free; make room before indexing")
    return f"{free >> 30} GB free for the library"
