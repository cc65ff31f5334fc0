"""Embedding sampled frames, for whatever engine decodes them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from framefind.models.base import Model
from framefind.models.blank import embed_views
from framefind.video.process import SampledFrame

BATCH = 64
"""Views that are worth a run of the image encoder."""


class Embedder:
    """Embeds frames of several videos, whose frames may come mixed, in batches."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._last: dict[str, NDArray[np.float32]] = {}

    def embed(self, frames: Sequence[tuple[str, SampledFrame]]) -> list[NDArray[np.float32]]:
        """The vectors of frames, float32 (views, dimensions) each; a frame comes with its video.

        A frame without pixels looks like the one before it in its video, and takes its vectors.
        """
        pixels = [frame.pixels for _, frame in frames if len(frame.pixels)]
        fresh = np.empty((0, 0), np.float32)
        if pixels:
            fresh = embed_views(self._model, np.concatenate(pixels))
        found, at = [], 0
        for video, frame in frames:
            count = len(frame.pixels)
            if count:
                self._last[video] = fresh[at : at + count].copy()  # not the whole batch
            at += count
            found.append(self._last[video])
        return found

    def forget(self, video: str) -> None:
        """No frame of this video follows."""
        self._last.pop(video, None)
