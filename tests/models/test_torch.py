"""Models that PyTorch runs, their exports, and libraries that both share."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import hubs
import numpy as np
import onnx
import pytest
from click.testing import Result
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the torch path needs torch")
pytest.importorskip("transformers", reason="the torch path needs transformers")

from references import TEXTS, make, parity, prepared, reference_pictures, reference_texts  # noqa: E402

import framefind  # noqa: E402
from framefind.cli.models import app  # noqa: E402
from framefind.errors import LibraryError, ModelError  # noqa: E402
from framefind.models import export_onnx, registry  # noqa: E402
from framefind.models import torch as pytorch  # noqa: E402
from framefind.models.base import Model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A CLIP of transformers, and the folder of its checkpoint."""
    return make("clip", tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def exported(pair, tmp_path_factory) -> dict[str, Path]:
    """Its exports, by precision."""
    folder = tmp_path_factory.mktemp("exports")
    for precision in export_onnx.MIN_COSINES:
        registry.export(f"local-dir:{pair.folder}", folder / precision, precision)
    return {precision: folder / precision for precision in export_onnx.MIN_COSINES}


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """A SigLIP, whose texts are all of one length."""
    return make("siglip", tmp_path_factory.mktemp("siglip")).folder


def load(folder: Path, precision: str = "fp32", device: str = "cpu") -> Model:
    return registry.load(f"local-dir:{folder}", device, precision)


class TestModel:
    def test_passes_the_self_test(self, pair):
        registry.check(load(pair.folder))

    def test_gives_rows_that_depend_on_no_other(self, pair):
        model = load(pair.folder)
        pictures = np.random.default_rng(0).integers(0, 256, (70, 224, 224, 3), np.uint8)
        vectors = model.embed_images(pictures)
        assert (vectors.shape, vectors.dtype) == ((70, model.dimensions), np.float32)
        np.testing.assert_allclose(model.embed_images(pictures[65:66]), vectors[65:66], atol=1e-5)
        assert model.embed_images(pictures[:0]).shape == (0, model.dimensions)
        assert model.embed_texts([]).shape == (0, model.dimensions)
        both = model.embed_texts(["a dog on the beach", "a"])
        np.testing.assert_allclose(both[1:], model.embed_texts(["a"]), atol=1e-5)

    def test_takes_pictures_that_nobody_may_write_into(self, pair):
        picture = np.zeros((1, 224, 224, 3), np.uint8)
        picture.flags.writeable = False
        assert np.isfinite(load(pair.folder).embed_images(picture)).all()

    def test_fingerprint_says_what_decides_the_vectors(self, pair):
        found = load(pair.folder, "bf16").fingerprint
        assert found["precision"] == "bf16"
        assert found["runtime"] == "torch"
        assert found["preprocessing"].startswith("224 px, bicubic, centre, mean 0.48145466")
        other = load(pair.folder).fingerprint
        assert found["source"] == other["source"]
        assert found["weights"] == other["weights"]

    def test_chooses_a_precision_for_the_hardware(self, pair, monkeypatch):
        monkeypatch.setattr(pytorch, "_has_bf16", lambda: True)
        registry._load.cache_clear()
        assert load(pair.folder, "auto").fingerprint["precision"] == "bf16"
        monkeypatch.setattr(pytorch, "_has_bf16", lambda: False)
        registry._load.cache_clear()
        assert load(pair.folder, "auto").fingerprint["precision"] == "fp32"


class TestRefuses:
    @pytest.mark.parametrize(
        ("device", "said"),
        [
            ("abacus", "use auto, cpu, openvino, cuda, mps, or cuda:1 and so on"),
            ("cuda:x", "use auto, cpu, openvino, cuda, mps"),
            ("cuda:99", r"sees \d+ CUDA GPUs"),
        ],
    )
    def test_devices_that_are_not_here(self, pair, device, said):
        with pytest.raises(ModelError, match=said):
            load(pair.folder, "auto", device)

    def test_int8(self, pair):
        with pytest.raises(ModelError, match="has no ONNX encoders"):
            load(pair.folder, "int8")

    def test_weights_that_are_not_all_there(self, pair, tmp_path):
        for file in pair.folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        hubs.safetensors(tmp_path / "model.safetensors", logit_scale=np.zeros((), np.float32))
        with pytest.raises(ModelError, match="not all weights are there, it lacks"):
            load(tmp_path).embed_texts(["a dog"])

    def test_settings_that_do_not_fit_the_weights(self, pair, tmp_path):
        for file in pair.folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        hubs.edit(tmp_path / "config.json", projection_dim=97)
        with pytest.raises(ModelError, match=r"model\.safetensors: cannot be loaded"):
            load(tmp_path).embed_texts(["a dog"])


class TestHub:
    def test_serves_what_torch_runs(self, pair, tmp_path, monkeypatch):
        from huggingface_hub import constants

        shutil.copytree(pair.folder, tmp_path / "hub/tiny/clip")
        served = hubs.Hub(tmp_path / "hub")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        model = registry.load("hf-hub:tiny/clip", "cpu", "fp32")
        expected = load(pair.folder).embed_texts(TEXTS)
        np.testing.assert_allclose(model.embed_texts(TEXTS), expected, atol=1e-5)
        served.close()
        made = model.fingerprint
        assert (made["model"], made["revision"]) == ("tiny/clip", served.commit)
        registry._load.cache_clear()
        assert registry.reopen(made, "cpu", "fp32").fingerprint == made  # asks no hub
        other = registry.reopen(made, "cpu", "bf16").fingerprint
        assert other["precision"] == "bf16"
        assert registry.interchangeable(made, other)


class TestExport:
    @pytest.mark.parametrize("precision", export_onnx.MIN_COSINES)
    def test_gives_the_same_vectors_as_transformers(self, pair, exported, frames, precision):
        model = registry.load(f"local-dir:{exported[precision]}", "cpu")
        bound = min(export_onnx.MIN_COSINES[precision], 0.9999)
        pictures = prepared(pair, frames)
        assert parity(model.embed_images(pictures), reference_pictures(pair, frames)) >= bound
        assert parity(model.embed_texts(TEXTS), reference_texts(pair, TEXTS)) >= bound
        wrong = model.embed_images(np.ascontiguousarray(pictures[..., ::-1]))
        assert parity(wrong, reference_pictures(pair, frames)) < bound

    def test_of_integers_overflows_16_bits_on_no_processor(self, exported):
        for side in ("image", "text"):
            held = onnx.load(exported["int8"] / f"{side}.onnx").graph.initializer
            weights = [
                onnx.numpy_helper.to_array(one)
                for one in held
                if one.data_type == onnx.TensorProto.INT8
            ]
            assert any(one.ndim == 2 for one in weights)
            assert max(int(abs(one.astype(int)).max()) for one in weights) * 255 * 2 < 2**15

    def test_of_siglip_keeps_padding_and_case(self, wide, tmp_path):
        registry.export(f"local-dir:{wide}", tmp_path / "new")
        ours = registry.load(f"local-dir:{tmp_path / 'new'}").embed_texts(TEXTS)
        theirs = load(wide).embed_texts(TEXTS)
        assert parity(ours, theirs) >= 0.9999

    def test_says_what_it_is(self, pair, exported):
        manifest = json.loads((exported["fp16"] / "manifest.json").read_text())
        assert manifest["precision"] == "fp16"
        assert manifest["source"] == load(pair.folder).fingerprint["source"]
        model = registry.load(f"local-dir:{exported['fp16']}")
        assert model.scale == pytest.approx(load(pair.folder).scale)
        with pytest.raises(ModelError, match="fp16 only"):
            registry.load(f"local-dir:{exported['fp16']}", precision="fp32")

    def test_needs_no_torch(self, exported):
        code = (
            "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
            "from framefind import models\n"
            f"models.check(models.load('local-dir:{exported['int8']}'))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_that_does_not_agree_is_not_written(self, pair, tmp_path, monkeypatch):
        import onnx
        from onnx import numpy_helper

        def spoil(file: Path) -> None:
            graph = onnx.load(file)
            weights = max(graph.graph.initializer, key=lambda one: len(one.raw_data))
            values = numpy_helper.to_array(weights)
            weights.CopyFrom(numpy_helper.from_array(-values, weights.name))
            onnx.save(graph, file)

        monkeypatch.setitem(export_onnx._REDUCERS, "fp32", spoil)
        with pytest.raises(ModelError, match="does not agree .* nothing was written"):
            registry.export(f"local-dir:{pair.folder}", tmp_path / "new")
        assert not [*tmp_path.iterdir()]

    def test_never_replaces_a_folder(self, pair, tmp_path):
        (tmp_path / "mine").write_text("precious")
        with pytest.raises(ModelError, match="is there already"):
            registry.export(f"local-dir:{pair.folder}", tmp_path)
        assert (tmp_path / "mine").read_text() == "precious"

    def test_knows_its_precisions(self, pair, tmp_path):
        with pytest.raises(ModelError, match="export fp32, fp16 or int8"):
            registry.export(f"local-dir:{pair.folder}", tmp_path / "new", "bf16")

    def test_weights_beside_the_graph_come_along(self, exported, tmp_path):
        """As PyTorch exports what is too large for one file: each weight in a file."""
        import onnx

        whole = exported["fp32"] / "image.onnx"
        (tmp_path / "raw").mkdir()
        file = tmp_path / "raw" / "image.onnx"
        apart = {"save_as_external_data": True, "all_tensors_to_one_file": False}
        onnx.save(onnx.load(whole), file, size_threshold=0, **apart)
        export_onnx._gather(tmp_path / "raw", tmp_path, "image.onnx")
        assert {one.name for one in tmp_path.iterdir()} == {"image.onnx", "image.onnx_data"}
        assert (tmp_path / "image.onnx_data").stat().st_size > 0.8 * whole.stat().st_size
        for name in ("text.onnx", "tokenizer.json", "manifest.json"):
            (tmp_path / name).write_bytes((exported["fp32"] / name).read_bytes())
        registry.check(load(tmp_path, "auto"))

    def test_command(self, pair, tmp_path):
        done: Result = CliRunner().invoke(
            app, ["export", f"local-dir:{pair.folder}", str(tmp_path / "new")]
        )
        assert done.exit_code == 0, done.output
        assert done.stdout == f"local-dir:{tmp_path / 'new'}\n"
        assert "lowest cosine: images 0.99999" in done.stderr or "1.0000" in done.stderr


class TestLibrary:
    """Made by one runtime, it is searched by the other where both are of one checkpoint."""

    def made(self, folder: Path, clips: Path, model: Path, precision: str) -> framefind.Library:
        uri = folder / "made.framefind"
        library = framefind.open(uri, precision=precision)
        assert library.index(clips / "a.mp4", model=f"local-dir:{model}").frames > 1
        return library

    def scores(self, library: framefind.Library, model: Path | None = None, **how: str):
        opened = framefind.open(library.uri, model=model and f"local-dir:{model}", **how)
        return [moment.score for moment in opened.search("a red car", limit=50).moments]

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_of_torch_is_searched_by_an_export(self, pair, exported, clips, tmp_path, precision):
        library = self.made(tmp_path, clips, pair.folder, precision)
        expected = self.scores(library, precision="fp32")
        found = self.scores(library, exported["fp32"])
        np.testing.assert_allclose(found, expected, atol=0.01)

    def test_of_an_export_is_searched_by_torch(self, pair, exported, clips, tmp_path):
        library = self.made(tmp_path, clips, exported["fp32"], "auto")
        expected = self.scores(library)
        np.testing.assert_allclose(self.scores(library, pair.folder), expected, atol=1.0)
        exact = self.scores(library, pair.folder, precision="fp32")
        np.testing.assert_allclose(exact, expected, atol=0.01)

    def test_of_torch_is_searched_at_another_precision(self, pair, clips, tmp_path):
        library = self.made(tmp_path, clips, pair.folder, "fp32")
        expected = self.scores(library, precision="fp32")
        np.testing.assert_allclose(self.scores(library, precision="bf16"), expected, atol=1.0)

    def test_never_at_int8(self, pair, exported, clips, tmp_path):
        library = self.made(tmp_path, clips, pair.folder, "fp32")
        with pytest.raises(LibraryError, match="was made with"):
            self.scores(library, exported["int8"])

    def test_never_by_another_checkpoint(self, pair, wide, clips, tmp_path):
        library = self.made(tmp_path, clips, pair.folder, "fp32")
        with pytest.raises(LibraryError, match="was made with"):
            self.scores(library, wide)
