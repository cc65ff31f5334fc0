import json

import hubs
import numpy as np
import pytest
from huggingface_hub import constants

from framefind.errors import ModelError
from framefind.models import catalog, registry
from framefind.models.layouts.open_clip import OpenClip
from framefind.models.layouts.registry import choose_checkpoint, read_checkpoint

SETTINGS = ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")


class TestChoice:
    """Told by names alone, since nothing is downloaded before."""

    def test_of_transformers(self):
        names = [*SETTINGS, "model.safetensors", "pytorch_model.bin", "README.md", "flax.msgpack"]
        assert {*choose_checkpoint(names).names} == {*SETTINGS, "model.safetensors"}

    def test_of_shards(self):
        shards = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
        names = [*SETTINGS, *shards, "model.safetensors.index.json"]
        assert {*choose_checkpoint(names).names} == {*names}

    def test_of_sentence_transformers(self):
        inside = [f"0_CLIPModel/{name}" for name in (*SETTINGS, "model.safetensors", "vocab.json")]
        chosen = choose_checkpoint(["modules.json", *inside, "config_sentence_transformers.json"])
        assert {*chosen.names} == {"modules.json", *inside}

    def test_of_open_clip_beside_the_image_encoder_of_timm(self):
        names = ["config.json", "model.safetensors", "open_clip_config.json", "tokenizer.json"]
        names += ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
        assert choose_checkpoint(names).image == "open_clip_model.safetensors"
        assert "model.safetensors" not in choose_checkpoint(names).names

    def test_of_open_clip_is_a_pickle_only_where_there_is_nothing_else(self):
        names = ["open_clip_config.json", "open_clip_pytorch_model.bin"]
        assert choose_checkpoint(names).image == "open_clip_pytorch_model.bin"

    def test_of_transformers_is_never_a_pickle(self):
        with pytest.raises(LookupError, match="pickled weights only"):
            choose_checkpoint([*SETTINGS, "pytorch_model.bin"])

    def test_of_nothing(self):
        with pytest.raises(LookupError, match="has no checkpoint"):
            choose_checkpoint(["README.md", "config.json"])


class TestSettings:
    def test_are_those_of_onnx_encoders(self, tmp_path):
        ours = read_checkpoint(hubs.checkpoint(tmp_path / "torch")).encoders
        theirs = registry.load(f"local-dir:{hubs.clip(tmp_path / 'onnx')}")
        assert ours.preprocessing == theirs.fingerprint["preprocessing"]
        assert (ours.dimensions, ours.image.size) == (theirs.dimensions, theirs.size)

    @pytest.mark.parametrize("kind", ["float32", "float16", "float64", "bf16"])
    def test_learned_scale(self, tmp_path, kind):
        learned = np.array(np.log(20), np.float32 if kind == "bf16" else kind)
        if kind == "bf16":
            learned = (learned.view(np.uint32) >> 16).astype(np.uint16)
        file = hubs.checkpoint(tmp_path) / "model.safetensors"
        hubs.safetensors(file, other=hubs.weights(1, 9), logit_scale=learned)
        assert read_checkpoint(tmp_path).encoders.scale == pytest.approx(20, rel=0.02)

    def test_no_scale_is_a_hundred(self, tmp_path):
        file = hubs.checkpoint(tmp_path) / "model.safetensors"
        hubs.safetensors(file, other=hubs.weights(1, 9))
        assert read_checkpoint(tmp_path).encoders.scale == 100

    def test_inside_a_sentence_transformers_folder(self, tmp_path):
        hubs.checkpoint(tmp_path / "0_CLIPModel")
        hubs.write(tmp_path / "modules.json", [])
        assert read_checkpoint(tmp_path).folder == tmp_path / "0_CLIPModel"

    def test_a_vocabulary_with_merges_stands_for_a_tokenizer(self, tmp_path):
        (hubs.checkpoint(tmp_path) / "tokenizer.json").unlink()
        hubs.write(tmp_path / "vocab.json", {"a": 0})
        assert read_checkpoint(tmp_path).encoders.text.tokenizer == tmp_path / "vocab.json"

    def test_of_open_clip(self, tmp_path):
        found = read_checkpoint(hubs.open_clip_checkpoint(tmp_path))
        assert isinstance(found.layout, OpenClip)
        assert found.encoders.scale == pytest.approx(30)
        assert found.encoders.text.pad == "!"  # its own tokenizer pads with token 0 of CLIP's
        other = read_checkpoint(hubs.open_clip_checkpoint(tmp_path, hf_tokenizer_name="x"))
        assert other.encoders.text.pad == "<pad>"

    @pytest.mark.parametrize(
        ("vision", "resnet"),
        [
            ({"layers": [4, 6, 10, 6]}, True),
            ({"timm_model_name": "resnet50"}, True),
            ({"layers": 12}, False),
            ({"timm_model_name": "vit_pe_core_base_patch16_224"}, False),
        ],
    )
    def test_of_a_resnet(self, tmp_path, vision, resnet):
        file = hubs.open_clip_checkpoint(tmp_path) / "open_clip_config.json"
        model = json.loads(file.read_text())["model_cfg"]
        hubs.edit(file, model_cfg=model | {"vision_cfg": model["vision_cfg"] | vision})
        assert read_checkpoint(tmp_path).encoders.resnet is resnet

    @pytest.mark.parametrize(
        "settings", [{"tokenizer_kwargs": {"strip_sep_token": True}}, {"tokenizer_mode": "clips"}]
    )
    def test_of_open_clip_that_are_unknown(self, tmp_path, settings):
        with pytest.raises(ModelError, match=r"does not know (strip_sep_token|tokenizer_mode)"):
            read_checkpoint(hubs.open_clip_checkpoint(tmp_path, **settings))


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"weights", b"\xff" * 64, b"\2" + b"\0" * 7 + b"[]"])
    def test_of_weights(self, tmp_path, content):
        (hubs.checkpoint(tmp_path) / "model.safetensors").write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.safetensors: no safetensors"):
            read_checkpoint(tmp_path)

    def test_of_an_index(self, tmp_path):
        file = hubs.checkpoint(tmp_path) / "model.safetensors"
        file.rename(tmp_path / "model-00001-of-00002.safetensors")
        names = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
        index = tmp_path / "model.safetensors.index.json"
        hubs.write(index, {"weight_map": {"first": names[0], "logit_scale": names[1]}})
        with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors: missing"):
            read_checkpoint(tmp_path)
        hubs.safetensors(tmp_path / names[1], logit_scale=np.log(np.float32(20)))
        assert read_checkpoint(tmp_path).encoders.scale == pytest.approx(20)
        hubs.write(index, {})
        with pytest.raises(ModelError, match=r"index\.json: cannot be read"):
            read_checkpoint(tmp_path)


def test_openvino_runs_no_checkpoint(tmp_path):
    with pytest.raises(ModelError, match="has no ONNX encoders"):
        registry.load(f"local-dir:{hubs.checkpoint(tmp_path)}", "openvino")


class TestSource:
    def test_changes_with_weights_tokenizer_and_preprocessing(self, tmp_path):
        found = {read_checkpoint(hubs.checkpoint(tmp_path)).source()}
        hubs.checkpoint(tmp_path, scale=21)
        found.add(read_checkpoint(tmp_path).source())
        hubs.edit(tmp_path / "preprocessor_config.json", image_mean=[0.5] * 3)
        found.add(read_checkpoint(tmp_path).source())
        hubs.edit(tmp_path / "tokenizer.json", version="1.1")
        found.add(read_checkpoint(tmp_path).source())
        assert len(found) == 4

    def test_decides_what_is_interchangeable(self):
        torch = {"model": "a", "weights": "1", "precision": "bf16", "source": "s"}
        onnx = {"model": "b", "weights": "2", "precision": "fp32", "source": "s"}
        assert registry.interchangeable(torch, onnx)
        assert registry.interchangeable(onnx, torch)
        assert registry.interchangeable(onnx, onnx)
        assert not registry.interchangeable(torch, onnx | {"precision": "int8"})
        assert not registry.interchangeable(torch, onnx | {"source": "t"})
        sourceless = {"model": "b", "weights": "2"}
        assert registry.interchangeable(sourceless, dict(sourceless))
        assert not registry.interchangeable(sourceless, sourceless | {"weights": "3"})


class TestWithoutTorch:
    """What is said where the extra is missing: every time the line that installs it."""

    @pytest.fixture(autouse=True)
    def none(self, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: False)
        registry._load.cache_clear()
        yield
        registry._load.cache_clear()

    def test_a_checkpoint(self, tmp_path):
        said = (
            r"for PyTorch only: pip install 'framefind\[torch\]', or run `framefind models export"
        )
        with pytest.raises(ModelError, match=said):
            registry.load(f"local-dir:{hubs.checkpoint(tmp_path)}")

    @pytest.mark.parametrize(
        "how", [{"precision": "bf16"}, {"device": "mps"}, {"device": "cuda:1"}]
    )
    def test_what_onnx_runtime_cannot(self, tmp_path, how):
        with pytest.raises(ModelError, match=r"needs torch: pip install 'framefind\[torch\]'"):
            registry.load(f"local-dir:{hubs.clip(tmp_path)}", **how)

    def test_a_library_that_torch_made(self):
        made = {"model": "google/model", "runtime": "torch", "weights": "1"}
        with pytest.raises(ModelError, match=r"pip install .* models export google/model DIR"):
            registry.reopen(made)

    def test_an_export(self, tmp_path):
        with pytest.raises(ModelError, match="needs torch"):
            registry.export(f"local-dir:{hubs.checkpoint(tmp_path)}", tmp_path / "new")
        with pytest.raises(ModelError, match="ONNX already"):
            registry.export("mini", tmp_path / "new")


class TestHub:
    @pytest.fixture
    def hub(self, tmp_path, monkeypatch):
        """A hub of checkpoints; a row of the table has one there, and its encoders elsewhere."""
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        hubs.checkpoint(tmp_path / "hub/tiny/torch")
        hubs.clip(tmp_path / "hub/tiny/onnx")
        served = hubs.Hub(tmp_path / "hub")
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        row = json.loads(json.dumps(catalog.known_models()[0].__dict__))
        row |= {"name": "ViT-T/tiny", "also": ("tiny-clip",), "alias": ""}
        row |= {"repository": "tiny/onnx", "torch": "tiny/torch"}
        rows = (catalog.KnownModel(**row),)
        monkeypatch.setattr(catalog, "known_models", lambda: rows)
        yield served
        served.close()

    def test_gives_a_checkpoint_where_torch_runs_it(self, hub, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: True)
        folder = registry.download("tiny/torch")
        assert read_checkpoint(folder).encoders.scale == pytest.approx(20)
        asked = len(hub.log)
        choosers = registry._choosers("auto", "auto")
        assert registry._find_cached("tiny/torch", choosers) == folder
        assert len(hub.log) == asked

    def test_says_what_a_checkpoint_needs(self, hub, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: False)
        with pytest.raises(
            ModelError, match=r"repository tiny/torch has no ONNX .*framefind\[torch"
        ):
            registry.download("tiny/torch")
        assert not hub.asked("cdn")

    def test_a_known_name_leads_to_what_the_runtime_needs(self, hub, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: True)
        assert "tiny--onnx" in str(registry.download("tiny-clip"))
        assert not hub.asked("tiny/torch")
        assert "tiny--torch" in str(registry.download("tiny-clip", "bf16"))
        assert registry.is_downloaded("ViT-T/tiny")

    def test_a_shard_that_is_missing_is_fetched(self, hub, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: True)
        folder = hub.folder / "tiny/torch"
        name = "model-00001-of-00001.safetensors"
        (folder / "model.safetensors").rename(folder / name)
        index = {"weight_map": {"first": name, "logit_scale": name}}
        hubs.write(folder / "model.safetensors.index.json", index)
        got = registry.download("tiny/torch")
        (got / name).unlink()
        assert registry._find_cached("tiny/torch", registry._choosers("auto", "auto")) is None
        assert read_checkpoint(registry.download("tiny/torch")).weights == (got / name,)

    def test_pickles_of_transformers_stay_there(self, hub, monkeypatch):
        monkeypatch.setattr(registry, "_has_torch", lambda: True)
        weights = hub.folder / "tiny/torch/model.safetensors"
        weights.rename(weights.with_name("pytorch_model.bin"))
        with pytest.raises(ModelError, match="pickled weights only"):
            registry.download("tiny/torch")
        assert not hub.asked("cdn")
