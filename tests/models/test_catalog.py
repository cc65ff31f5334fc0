from dataclasses import replace

import pytest

from framefind.errors import ModelError
from framefind.models import catalog, registry


def test_the_table_names_everything_once():
    names = ["mini", catalog.MINI, *(one for row in catalog.known_models() for one in row.names)]
    assert len(names) == len(set(names))
    aliases = {row.alias for row in catalog.known_models()} - {""}
    assert aliases == {"fast", "balanced", "best", "multilingual"}


def test_the_table_is_plausible():
    for row in catalog.known_models():
        assert row.size % 16 == 0
        assert 256 <= row.dimensions <= 2048
        assert 0 < (row.recall or row.video) < 100
        assert row.gmacs > 0
        assert row.parameters > 100


@pytest.mark.parametrize(
    ("name", "full", "repository"),
    [
        ("ViT-B-32/openai", "ViT-B-32/openai", "Xenova/clip-vit-base-patch32"),
        ("openai/clip-vit-base-patch32", "ViT-B-32/openai", "Xenova/clip-vit-base-patch32"),
        ("sentence-transformers/clip-ViT-B-32", "ViT-B-32/openai", "Xenova/clip-vit-base-patch32"),
        ("RN50x4/openai", "RN50x4/openai", "immich-app/RN50x4__openai"),
        ("fast", "ViT-B-32/laion2b_s34b_b79k", "immich-app/ViT-B-32__laion2b-s34b-b79k"),
        (
            "hf-hub:timm/ViT-B-16-SigLIP2",
            "ViT-B-16-SigLIP2/webli",
            "onnx-community/siglip2-base-patch16-224-ONNX",
        ),
        ("somebody/their.model_1", "somebody/their.model_1", "somebody/their.model_1"),
        ("hf-hub:somebody/model", "somebody/model", "somebody/model"),
    ],
)
def test_names_lead_to_repositories(name, full, repository):
    assert registry.full_name(name) == full
    assert registry.full_name(full) == full
    assert catalog.find_repository(full) == (repository, None)
    assert catalog.find_repository(registry.full_name(f"{name}@v1")) == (repository, "v1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("VIT-B32-openai", "did you mean ViT-B-32/openai"),
        ("sentence-transformers/clip-ViT-B32@", "did you mean sentence-transformers/clip-ViT-B-32"),
        ("mini-999", "did you mean mini-"),
        ("balancd", "did you mean balanced"),
        ("nothing at all", "use mini"),
        ("", "use mini"),
        ("mini-1/../mini-1", "unknown model"),
        ("../etc/passwd", "unknown model"),
        ("owner/name@", "unknown model"),
    ],
)
def test_unknown_names_suggest_the_nearest(name, said):
    with pytest.raises(ModelError, match=said):
        registry.full_name(name)


def test_best_per_cost_is_what_no_other_beats():
    first = catalog.known_models()[0]
    cheap = replace(first, name="cheap", gmacs=1.0, recall=50.0)
    good = replace(first, name="good", gmacs=9.0, recall=70.0)
    beaten = replace(first, name="beaten", gmacs=9.0, recall=60.0)
    twin = replace(good, name="twin")
    assert catalog.best_per_cost([cheap, good, beaten, twin]) == {"cheap", "good", "twin"}
