"""Parity with sentence-transformers, which reads a CLIP out of a folder of its own layout."""

from types import SimpleNamespace

import hubs
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="parity with sentence-transformers needs torch")
reason = "parity with sentence-transformers needs it"
sentence_transformers = pytest.importorskip("sentence_transformers", reason=reason)

from references import TEXTS, make, parity, prepared  # noqa: E402

from framefind.models import registry  # noqa: E402
from framefind.models.base import Model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

WAYS = {"fp32": 0.9999, "bf16": 0.99}
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> SimpleNamespace:
    """The layout of sentence-transformers/clip-ViT-B-32, and what that package makes of it."""
    folder = tmp_path_factory.mktemp("clip-ViT-B-32")
    made = make("clip", folder / "0_CLIPModel")
    kind = "sentence_transformers.models.CLIPModel"
    hubs.write(
        folder / "modules.json", [{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": kind}]
    )
    made.theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    made.folder = folder
    return made


def load(pair: SimpleNamespace, way: str) -> Model:
    return registry.load(f"local-dir:{pair.folder}", precision=way)


@pytest.fixture(scope="module")
def pictures(pair, frames) -> np.ndarray:
    return pair.theirs.encode([Image.fromarray(frame.full) for frame in frames])


@pytest.fixture(scope="module")
def texts(pair) -> np.ndarray:
    return pair.theirs.encode(TEXTS)


@every_way
def test_pictures_give_the_same_vectors(pair, frames, pictures, way):
    assert parity(load(pair, way).embed_images(prepared(pair, frames)), pictures) >= WAYS[way]


@every_way
@pytest.mark.parametrize("harm", ["bgr", "resize", "crop"])
def test_pictures_would_not_if_prepared_wrongly(pair, frames, pictures, harm, way):
    ours = load(pair, way).embed_images(prepared(pair, frames, harm))
    assert parity(ours, pictures) < WAYS[way]


@every_way
def test_texts_give_the_same_vectors(pair, texts, way):
    assert parity(load(pair, way).embed_texts(TEXTS), texts) >= WAYS[way]


@every_way
@pytest.mark.parametrize("harm", [{"pad_left": True, "masked": False}, {"max_tokens": 16}])
def test_texts_would_not_if_padded_or_cut_wrongly(pair, texts, way, harm):
    from dataclasses import replace

    from framefind.models.layouts.registry import read_checkpoint
    from framefind.models.torch import TorchModel

    found = read_checkpoint(pair.folder)
    wrong = replace(found.encoders, text=replace(found.encoders.text, **harm))
    harmed = TorchModel("harmed", replace(found, encoders=wrong), precision=way)
    assert parity(harmed.embed_texts(TEXTS), texts) < WAYS[way]


def test_the_checkpoint_says_the_scale(pair):
    scale = float(pair.model.logit_scale.exp())
    assert load(pair, "fp32").scale == pytest.approx(scale, rel=1e-6)
