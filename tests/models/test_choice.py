"""Which model new libraries get."""

import pytest

import framefind
from framefind.errors import ChoiceError, ModelError
from framefind.files import config
from framefind.models import catalog, registry
from framefind.models.choice import default_model


@pytest.fixture(autouse=True)
def own_file(tmp_path, monkeypatch):
    file = tmp_path / "framefind.toml"
    monkeypatch.setattr(config, "config_file", lambda: file)
    monkeypatch.delenv("FRAMEFIND_MODEL", raising=False)
    return file


def test_environment_wins_over_the_file_and_that_over_mini(monkeypatch):
    assert default_model() == catalog.MINI
    config.write_setting(config.config_file(), "model", "balanced")
    assert default_model() == "ViT-B-32-SigLIP2-256/webli"
    monkeypatch.setenv("FRAMEFIND_MODEL", "mini")
    assert default_model() == catalog.MINI


def test_an_unknown_name_names_the_file(own_file):
    config.write_setting(config.config_file(), "model", "balancd")
    with pytest.raises(ChoiceError, match="framefind.toml: unknown model 'balancd'"):
        default_model()


def test_a_new_library_asks_for_it_and_an_old_one_does_not(tmp_path, monkeypatch):
    old = framefind.open(tmp_path / "old.framefind")
    old.index(tmp_path)
    asked = []
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda name, *rest: asked.append(name) or load("mini"))
    config.write_setting(config.config_file(), "model", "balanced")
    framefind.open(tmp_path / "new.framefind").index(tmp_path)
    framefind.open(tmp_path / "named.framefind", model="fast").index(tmp_path)
    assert [*dict.fromkeys(asked)] == ["ViT-B-32-SigLIP2-256/webli", "ViT-B-32/laion2b_s34b_b79k"]
    framefind.open(tmp_path / "old.framefind").index(tmp_path)
    assert old.status().model == catalog.MINI


def test_best_needs_pytorch_or_an_export(monkeypatch):
    monkeypatch.setattr(registry, "_has_torch", lambda: False)
    with pytest.raises(ModelError, match="models export timm/PE-Core-B-16 DIR"):
        registry.check_runtime("best")
    registry.check_runtime("balanced")
    monkeypatch.setattr(registry, "_has_torch", lambda: True)
    registry.check_runtime("best")


@pytest.mark.parametrize(
    "name", ["apple/MobileCLIP-S1", "apple/mobileclip2_coca", "MobileCLIP2-S0"]
)
def test_research_weights_are_named(name):
    assert "research only" in (catalog.restriction_of(name) or "")
    assert catalog.restriction_of("ViT-B-32/openai") is None
