import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hubs
import numpy as np
import pytest
from click.testing import Result
from huggingface_hub import constants
from typer.testing import CliRunner

from framefind.cli.models import app
from framefind.errors import ModelError
from framefind.models import catalog, registry
from framefind.models.base import Model
from framefind.models.hub import find_cached
from framefind.models.layouts.registry import choose_onnx

known_table = catalog.known_models()

PICTURES = np.random.default_rng(0).integers(0, 256, (3, hubs.SIZE, hubs.SIZE, 3), np.uint8)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hubs.Hub]:
    """A hub with one repository per layout, `tiny/clip` and so on; this machine has none of it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between two tries
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, layout in hubs.LAYOUTS.items():
        layout(tmp_path / "hub" / "tiny" / name)
    served = hubs.Hub(tmp_path / "hub")
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    registry._load.cache_clear()
    yield served
    registry._load.cache_clear()
    served.close()


def again(name: str, **how: str) -> Model:
    """Load a model as a new process would."""
    registry._load.cache_clear()
    return registry.load(name, **how)


class TestDownload:
    @pytest.mark.parametrize("layout", hubs.LAYOUTS)
    def test_every_layout_loads_and_then_needs_no_hub(self, hub, layout):
        model = registry.load(f"tiny/{layout}")
        registry.check(model)
        asked = len(hub.log)
        assert again(f"tiny/{layout}").fingerprint == model.fingerprint
        assert len(hub.log) == asked
        vectors = again(f"tiny/{layout}").embed_images(PICTURES)
        np.testing.assert_array_equal(vectors, model.embed_images(PICTURES))

    def test_takes_only_what_is_needed(self, hub):
        (hub.folder / "tiny/clip/pytorch_model.bin").write_bytes(b"pickle")
        (hub.folder / "tiny/clip/model.safetensors").write_bytes(b"weights")
        registry.load("tiny/clip")
        assert not hub.asked("pytorch_model.bin")
        assert not hub.asked("safetensors")
        assert not hub.asked("fp16")
        assert hub.asked("onnx/vision_model.onnx")

    def test_precisions_are_files_of_their_own(self, hub):
        weights = set()
        for precision in ("fp32", "fp16", "int8"):
            model = registry.load("tiny/clip", precision=precision)
            assert model.fingerprint["precision"] == precision
            weights.add(model.fingerprint["weights"])
        assert len(weights) == 3
        assert registry.load("tiny/clip").fingerprint["precision"] == "fp32"
        with pytest.raises(ModelError, match="has no int8 encoders, only fp32"):
            registry.load("tiny/siglip", precision="int8")

    def test_a_library_is_reopened_at_its_precision_and_revision(self, hub):
        made = registry.load("tiny/clip", precision="int8").fingerprint
        assert made["revision"] == hub.commit
        hub.commit = "f" * 40  # the repository goes on
        registry._load.cache_clear()
        asked = len(hub.log)
        assert registry.reopen(made).fingerprint == made
        assert len(hub.log) == asked

    def test_a_revision_can_be_pinned(self, hub):
        assert registry.load("tiny/clip@v1").fingerprint["model"] == "tiny/clip@v1"
        assert hub.asked("revision/v1")
        with pytest.raises(ModelError, match="no such revision"):
            registry.load("tiny/clip@v2")

    def test_weights_outside_of_the_graph_come_along(self, hub):
        import onnx

        file = hub.folder / "tiny/clip/onnx/vision_model.onnx"
        graph = onnx.load(file)
        onnx.save(
            graph, file, save_as_external_data=True, location="vision_model.onnx_data",
            size_threshold=0,
        )  # fmt: skip
        model = registry.load("tiny/clip")
        vectors = model.embed_images(PICTURES)
        kept = find_cached("tiny/clip", None, choose_onnx)
        data = kept / "onnx/vision_model.onnx_data"
        before = model.fingerprint["weights"]
        data.unlink()
        assert find_cached("tiny/clip", None, choose_onnx) is None
        found = again("tiny/clip")
        np.testing.assert_array_equal(found.embed_images(PICTURES), vectors)
        assert found.fingerprint["weights"] == before


class TestTrouble:
    def test_a_cut_connection_goes_on_where_it_stopped(self, hub, monkeypatch):
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 512)
        hub.cuts = 3
        registry.check(registry.load("tiny/clip"))
        ranges = [asked for _, _, asked in hub.asked("cdn/") if asked]
        assert ranges
        assert "bytes=0-" not in ranges

    def test_what_was_given_up_is_finished_later(self, hub):
        hub.cuts = 50
        with pytest.raises(ModelError, match="models download tiny/clip"):
            registry.load("tiny/clip")
        hub.cuts = 0
        registry.check(again("tiny/clip"))

    def test_what_arrives_damaged_is_fetched_again(self, hub):
        hub.damage = 1
        registry.check(registry.load("tiny/siglip"))
        hub.damage = 100
        with pytest.raises(ModelError, match="arrives damaged"):
            registry.load("tiny/clip")

    @pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
    def test_a_damaged_cache_heals(self, hub, harm):
        model = registry.load("tiny/siglip")
        vectors = model.embed_images(PICTURES)
        encoder = find_cached("tiny/siglip", None, choose_onnx) / "onnx/vision_model.onnx"
        content = bytearray(encoder.read_bytes())
        content[-1] ^= 1
        encoder.resolve().unlink()
        if harm != "remove":
            encoder.resolve().write_bytes(content if harm == "flip" else content[:-9])
        found = again("tiny/siglip").embed_images(PICTURES)
        np.testing.assert_array_equal(found, vectors)

    @pytest.mark.parametrize("place", ["api/models", "cdn/"])
    @pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 500, 503])
    def test_a_hub_that_refuses_is_named_and_asked_again_later(self, hub, place, status):
        hub.refusals[place] = status
        with pytest.raises(ModelError, match="tiny/siglip") as refused:
            registry.load("tiny/siglip")
        assert "\n" not in str(refused.value)
        hub.refusals.clear()
        registry.check(again("tiny/siglip"))

    @pytest.mark.parametrize("content", [b"", b"{", b"<html>"])
    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
    def test_small_files_damaged_in_the_cache_heal(self, hub, name, content):
        before = registry.load("tiny/siglip").fingerprint
        file = find_cached("tiny/siglip", None, choose_onnx) / name
        file.resolve().write_bytes(content)
        assert again("tiny/siglip").fingerprint == before
        registry.check(again("tiny/siglip"))

    def test_what_a_break_left_half_is_no_model(self, hub):
        registry.load("tiny/siglip")
        folder = find_cached("tiny/siglip", None, choose_onnx)
        for link in folder.rglob("*.json"):
            link.resolve().rename(link.resolve().with_suffix(".incomplete"))
        assert find_cached("tiny/siglip", None, choose_onnx) is None
        registry.check(again("tiny/siglip"))

    @pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer.json"])
    def test_what_a_break_left_without_settings_is_no_model(self, hub, name):
        registry.load("tiny/siglip")
        (find_cached("tiny/siglip", None, choose_onnx) / name).unlink()
        assert find_cached("tiny/siglip", None, choose_onnx) is None
        registry.check(again("tiny/siglip"))

    def test_offline_says_where_to_run_what(self, hub, monkeypatch):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelError, match=r"OFFLINE.*`framefind models download tiny/clip`"):
            registry.load("tiny/clip")
        with pytest.raises(ModelError, match="download tiny/clip --precision int8`"):
            registry.load("tiny/clip", precision="int8")
        assert not hub.log

    def test_no_network_says_so_too(self, hub, monkeypatch):
        hub.close()
        with pytest.raises(ModelError, match="`framefind models download tiny/clip`"):
            registry.load("tiny/clip")

    def test_an_unknown_repository_suggests_known_names(self, hub):
        with pytest.raises(ModelError, match=r"the hub has no .*did you mean ViT-B-32/laion2b"):
            registry.load("ViT-B-32/laion2b_s34b_b79")

    def test_a_private_repository_needs_a_token(self, hub, monkeypatch):
        hub.private.add("tiny/clip")
        with pytest.raises(ModelError, match="HF_TOKEN"):
            registry.load("tiny/clip")
        monkeypatch.setenv("HF_TOKEN", "secret")
        registry.check(registry.load("tiny/clip"))

    def test_a_repository_without_encoders(self, hub):
        hubs.write(hub.folder / "tiny/torch/config.json", {})
        (hub.folder / "tiny/torch/model.safetensors").write_bytes(b"weights")
        with pytest.raises(
            ModelError, match="tiny/torch has no ONNX encoders .* and has no checkpoint"
        ):
            registry.load("tiny/torch")


def test_the_environment_decides_as_for_other_tools(hub, tmp_path):
    code = (
        "from framefind import models; import json; m = models.load('tiny/clip');"
        "models.check(m); print(json.dumps(m.fingerprint))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, **more},
            capture_output=True,
            text=True,
        )

    refused = run(HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in refused.stderr
    hub.private.add("tiny/clip")
    assert run().returncode != 0
    first = run(HF_TOKEN="secret")
    assert json.loads(first.stdout)["revision"] == hub.commit
    assert (tmp_path / "home/hub/models--tiny--clip").is_dir()
    asked = len(hub.log)
    assert run(HF_HUB_OFFLINE="1").stdout == first.stdout
    assert len(hub.log) == asked


class TestCommand:
    """`framefind models` and what is under it."""

    @pytest.fixture
    def known_here(self, hub, monkeypatch):
        """The table of known models, with one of them on our hub."""
        row = replace(
            catalog.known_models()[0], name="ViT-T-1/tiny", repository="tiny/clip", alias="tiny"
        )
        monkeypatch.setattr(catalog, "known_models", lambda: (row, *known_table))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    def test_lists_what_is_known_and_what_is_here(self, known_here):
        listed = json.loads(self.run("--json", "--seconds", "0.1").stdout)["models"]
        rows = {row["name"]: row for row in listed}
        assert rows[registry.full_name("mini")]["here"]
        assert rows["ViT-B-32-SigLIP2-256/webli"]["alias"] == "balanced"
        speeds = {name: row["hours_per_hour"] for name, row in rows.items()}
        assert speeds["RN50x4/openai"] < speeds["ViT-B-32/openai"] < speeds[catalog.MINI]
        measured = {name for name, row in rows.items() if row["measured"]}
        assert measured == {catalog.MINI}
        assert rows["ViT-B-16-SigLIP2/webli"]["best"]
        assert not rows["RN50x4/openai"]["best"]
        assert not rows["ViT-T-1/tiny"]["here"]
        registry.load("tiny", precision="int8")
        measured = json.loads(self.run("--json", "--seconds", "0.1").stdout)["models"]
        assert next(row for row in measured if row["name"] == "ViT-T-1/tiny")["measured"]
        listed = self.run("--seconds", "0").stdout.splitlines()
        assert next(line for line in listed if "ViT-T-1/tiny" in line).endswith("yes")

    def test_downloads_and_repairs(self, known_here):
        done = self.run("download", "tiny")
        assert (done.exit_code, done.stderr) == (0, "model tiny: ViT-T-1/tiny\n")  # and no bars
        encoder = Path(done.stdout.strip()) / "onnx/text_model.onnx"
        content = encoder.read_bytes()
        encoder.resolve().write_bytes(content[:-1])
        assert self.run("download", "tiny").exit_code == 0
        assert encoder.read_bytes() == content

    @pytest.mark.parametrize("name", ["mini", "local-dir:/tmp", "tiny/none"])
    def test_says_what_cannot_be_downloaded(self, hub, name):
        assert isinstance(self.run("download", name).exception, ModelError)

    def test_measures_speed(self, hub):
        done = self.run("benchmark", "tiny/clip", "--seconds", "0", "--json")
        speeds = json.loads(done.stdout)
        assert speeds["model"] == "tiny/clip"
        assert speeds["images_per_second"] > 0
        assert speeds["texts_per_second"] > 0
        assert "images/s" in self.run("benchmark", "tiny/siglip", "--seconds", "0").stdout
