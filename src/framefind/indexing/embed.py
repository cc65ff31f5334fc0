"""Embed sampled frames, for whatever engine decodes them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from framefind.errors import NotFiniteError
from framefind.indexing.video_row import Ending
from framefind.models.base import Model
from framefind.models.blank import embed_views
from framefind.times import clock
from framefind.video.process import SampledFrame

BATCH = 64
"""Views per run of the image encoder."""


class Embedder:
    """Embed frames of several videos, which may come mixed, in batches."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._last: dict[str, NDArray[np.float32] | None] = {}
        self._refused: dict[str, float] = {}  # time of the first frame without vectors, by video

    def embed(self, frames: Sequence[tuple[str, SampledFrame]]) -> list[NDArray[np.float32] | None]:
        """Return the vectors of frames, each with its video: float32 (views, dimensions) each.

        A frame without pixels looks like the one before it in its video, and takes its vectors.
        None for a frame of which the model gives no finite vectors. Raises ModelError when it gives
        none of a grey image either.
        """
        pixels = [frame.pixels for _, frame in frames if len(frame.pixels)]
        fresh = iter(self._embed_all(pixels))
        vectors = []
        for video, frame in frames:
            if len(frame.pixels):
                self._last[video] = next(fresh)
            if self._last[video] is None:
                self._refused.setdefault(video, frame.t)
            vectors.append(self._last[video])
        return vectors

    def _embed_all(self, pixels: list[NDArray[np.uint8]]) -> list[NDArray[np.float32] | None]:
        """Return the vectors of each frame's views, in one batch unless one of them is bad."""
        if not pixels:
            return []
        try:
            vectors = embed_views(self._model, np.concatenate(pixels))
        except NotFiniteError:
            if len(pixels) > 1:
                return [self._embed_all([views])[0] for views in pixels]
            self._model.embed_images(np.full_like(pixels[0][:1], 128))
            return [None]
        ends = np.cumsum([len(views) for views in pixels])
        return [part.copy() for part in np.split(vectors, ends[:-1])]  # not the whole batch

    def finish(self, video: str, ending: Ending) -> Ending:
        """Return how a video ends of which no more frames follow, and forget it."""
        self._last.pop(video, None)
        refused = self._refused.pop(video, None)
        if refused is None or ending.trouble:
            return ending
        words = f"the model gives no finite vectors of the frame at {clock(refused)}"
        return replace(ending, trouble=words)
