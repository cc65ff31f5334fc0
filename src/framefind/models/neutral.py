"""The neutral statistics of a model, against which confidence is measured."""

import json
from contextlib import suppress
from pathlib import Path

from framefind.models.base import Model
from framefind.models.cache import cache_path, save_cached
from framefind.models.confidence import Neutral

_NEUTRAL_TEXTS = Path(__file__).with_name("backgrounds.json")


def load_neutral(model: Model) -> Neutral:
    """Return the neutral images that a model brings, else neutral texts.

    The texts are embedded once per fingerprint and kept in the user's cache folder.
    """
    return _load_texts(model) if model.neutral is None else model.neutral


def _load_texts(model: Model) -> Neutral:
    content = _NEUTRAL_TEXTS.read_bytes()
    path = cache_path(model, content)
    with suppress(OSError, ValueError):
        return Neutral.load(path, model.dimensions)
    texts = Neutral.summarize(model.embed_texts(json.loads(content)["texts"]), of_images=False)
    save_cached(path, texts.save)
    return texts
