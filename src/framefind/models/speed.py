"""How fast models embed on this computer: measured, or estimated from the built-in one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from framefind.models import catalog, registry
from framefind.models.base import Model

VIEWS = 4
"""Views of a frame of 16:9 by `tiles`."""

_BATCH = 64  # of `index`


@dataclass(frozen=True)
class Speed:
    """How many images a second a model embeds here, measured or estimated."""

    images_per_second: float
    measured: bool


def measure_speeds(model: Model, seconds: float) -> dict[str, float]:
    """Return images and texts per second in batches, and texts one by one, as in searches.

    Each is measured for `seconds`.
    """
    texts = _BATCH * ["a dog runs along a beach at sunset"]
    return {
        "images_per_second": measure_images(model, seconds),
        "texts_per_second": _measure_rate(lambda: model.embed_texts(texts), len(texts), seconds),
        "queries_per_second": _measure_rate(lambda: model.embed_texts(texts[:1]), 1, seconds),
    }


def measure_images(model: Model, seconds: float) -> float:
    """Return how many images a model embeds per second, measured for `seconds`."""
    shape = (_BATCH, model.size, model.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return _measure_rate(lambda: model.embed_images(images), len(images), seconds)


def hours_per_hour(images_per_second: float) -> float:
    """Return how many hours of video are embedded in an hour: a frame a second, in tiles."""
    return images_per_second / VIEWS


def compare_speeds(seconds: float) -> dict[str, Speed]:
    """Return how fast `mini` and each known model are, by name.

    `mini` and the models on this computer are measured, for `seconds` together; the others
    are estimated from `mini` by their known cost.
    """
    models = catalog.known_models()
    here = [model.name for model in models if registry.is_downloaded(model.name)]
    share = seconds / (1 + len(here))
    mini = measure_images(registry.load("mini"), share)
    speeds = {catalog.MINI: Speed(mini, True)}
    for model in models:
        if model.name in here:
            measured = measure_images(registry.load(model.name), share)
            speeds[model.name] = Speed(measured, True)
        else:
            speeds[model.name] = Speed(mini * catalog.MINI_GMACS / model.gmacs, False)
    return speeds


def _measure_rate(run: Callable[[], object], count: int, seconds: float) -> float:
    """Return how many of `count` things a call are done per second, in `seconds`."""
    run()  # the first call loads the encoder
    rounds = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds or not rounds:
        run()
        rounds += 1
    return count * rounds / elapsed
