"""Embed sampled frames, for whatever engine decodes them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from framefind.models.base import Model
from framefind.models.blank import embed_views
from framefind.video.process import SampledFrame

BATCH = 64
"""The image encoder runs on so many views at a time."""


class Embedder:
    """Embed frames of several videos, which may come mixed, in batches."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._last: dict[str, NDArray[np.float32]] = {}

    def embed(self, frames: Sequence[tuple[str, SampledFrame]]) -> list[NDArray[np.float32]]:
        """Return the vectors of frames, each with its video: float32 (views, dimensions) each.

        A frame without pixels looks like the one before it in its video, and takes its vectors.
        """
        pixels = [frame.pixels for _, frame in frames if len(frame.pixels)]
        fresh = np.empty((0, 0), np.float32)
        if pixels:
            fresh = embed_views(self._model, np.concatenate(pixels))
        vectors = []
        at = 0
        for video, frame in frames:
            count = len(frame.pixels)
            if count:
                self._last[video] = fresh[at : at + count].copy()  # not the whole batch
            at += count
            vectors.append(self._last[video])
        return vectors

    def forget(self, video: str) -> None:
        """Forget a video of which no more frames follow."""
        self._last.pop(video, None)
