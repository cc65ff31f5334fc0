"""What computes a graph: ONNX Runtime, and OpenVINO where the extra [openvino] is installed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import hubs
import numpy as np
import pytest
from PIL import Image
from skimage import data

from framefind.errors import ModelError
from framefind.models import backends, registry
from framefind.models.backends import open_graph
from framefind.models.base import Model

PICTURES = np.random.default_rng(0).integers(0, 256, (70, hubs.SIZE, hubs.SIZE, 3), np.uint8)
PHOTOGRAPHS = "astronaut", "chelsea", "coffee", "rocket"

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="needs [openvino]")


@pytest.fixture(autouse=True)
def forgotten():
    registry._load.cache_clear()


def load(folder: Path, device: str, precision: str = "auto") -> Model:
    return registry.load(f"local-dir:{folder}", device, precision)


def lowest(ours: np.ndarray, theirs: np.ndarray) -> float:
    mean = theirs.mean(axis=0)
    return float((hubs.unit(ours - mean) * hubs.unit(theirs - mean)).sum(axis=1).min())


def corners(name: str, size: int) -> list[np.ndarray]:
    """Four views of a photograph that comes with scikit-image."""
    picture = Image.fromarray(getattr(data, name)())
    width, height = picture.width // 2, picture.height // 2
    boxes = [(x, y, x + width, y + height) for x in (0, width) for y in (0, height)]
    return [np.asarray(picture.resize((size, size), box=box)) for box in boxes]


def convolutions(file: Path, count: int) -> Path:
    """So many layers of 3 × 3, one after the other, flattened at the end."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    held = [numpy_helper.from_array(hubs.weights(at, 8, 8, 3, 3), f"w{at}") for at in range(count)]
    names = ["image", *(f"layer{at}" for at in range(count))]
    nodes = [
        helper.make_node("Conv", [names[at], f"w{at}"], [names[at + 1]], pads=[1, 1, 1, 1])
        for at in range(count)
    ]
    nodes.append(helper.make_node("Flatten", [names[-1]], ["vectors"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 8, 16, 16])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 8 * 16 * 16])
    graph = helper.make_graph(nodes, "layers", [image], [vectors], held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)
    return file


@needs_openvino
class TestOpenVino:
    @pytest.mark.parametrize("layout", hubs.LAYOUTS)
    def test_gives_the_same_vectors(self, tmp_path, layout):
        """Of every layout, batches of one size only included."""
        folder = hubs.LAYOUTS[layout](tmp_path)
        expected = load(folder, "cpu").embed_images(PICTURES)
        model = load(folder, "openvino")
        found = model.embed_images(PICTURES)
        assert "OpenVINO" in model.backend
        assert (found.shape, found.dtype) == (expected.shape, np.float32)
        assert lowest(found, expected) > 0.99
        assert lowest(model.embed_images(PICTURES[..., ::-1]), expected) < 0.99

    def test_leaves_mini_to_onnx_runtime(self):
        """OpenVINO cannot read its products of integers, which are faster than any rounding."""
        views = np.stack([view for name in PHOTOGRAPHS for view in corners(name, 192)])
        chosen = registry.load("mini").embed_images(views)
        np.testing.assert_array_equal(registry.load("mini", "cpu").embed_images(views), chosen)
        with pytest.raises(ModelError, match=r"image.onnx: OpenVINO cannot load it"):
            registry.load("mini", "openvino").embed_images(views)

    def test_keeps_a_resnet_at_full_precision(self, tmp_path):
        file = convolutions(tmp_path / "model.onnx", 12)
        graph = open_graph(file, "openvino")
        exact = open_graph(file, "cpu")
        given = {"image": np.random.default_rng(0).normal(size=(20, 8, 16, 16)).astype(np.float32)}
        assert graph.description.endswith("f32")
        assert lowest(graph.run(given), exact.run(given)) > 0.99999
        shallow = open_graph(convolutions(tmp_path / "shallow.onnx", 1), "openvino")
        assert shallow.description.endswith("bf16" if backends.openvino_has_bf16() else "f32")

    def test_is_for_pictures_only(self, tmp_path):
        texts = ["a red car", "dog", ""]
        folder = hubs.clip(tmp_path)
        exact = load(folder, "cpu").embed_texts(texts)
        np.testing.assert_array_equal(load(folder, "openvino").embed_texts(texts), exact)

    def test_is_taken_for_full_precision_where_it_multiplies_bf16(self, tmp_path, monkeypatch):
        folder = hubs.clip(tmp_path)
        for has in (True, False):
            registry._load.cache_clear()
            monkeypatch.setattr(backends, "openvino_has_bf16", lambda has=has: has)
            assert ("OpenVINO" in load(folder, "auto").backend) is has
            for precision in ("fp16", "int8"):
                assert "OpenVINO" not in load(folder, "auto", precision).backend
            assert "OpenVINO" not in load(folder, "cpu").backend

    def test_serves_several_threads(self, tmp_path):
        model = load(hubs.clip(tmp_path), "openvino")
        expected = model.embed_images(PICTURES)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(model.embed_images, [PICTURES] * 16):
                np.testing.assert_array_equal(found, expected)

    def test_shares_a_library_with_onnx_runtime(self, tmp_path):
        folder = hubs.clip(tmp_path)
        assert load(folder, "openvino").fingerprint == load(folder, "cpu").fingerprint


def test_openvino_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    backends.openvino_has_bf16.cache_clear()
    with pytest.raises(ModelError, match=r"pip install 'framefind\[openvino\]'"):
        load(hubs.clip(tmp_path), "openvino").embed_images(PICTURES)
    assert "OpenVINO" not in load(tmp_path, "auto").backend
    backends.openvino_has_bf16.cache_clear()


def test_a_query_by_text_imports_no_openvino(tmp_path):
    folder = hubs.clip(tmp_path)
    said = (
        "import sys; from framefind import models; "
        f"models.load('local-dir:{folder}').embed_texts(['a']); print('openvino' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("device", ["cpu", pytest.param("openvino", marks=needs_openvino)])
def test_a_file_that_is_no_graph(tmp_path, device, capfd):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model\.onnx: .* cannot load it"):
        open_graph(file, device)
    assert capfd.readouterr().out == ""


def test_apples_gpus_are_for_pytorch_only(tmp_path):
    hubs.clip(tmp_path)
    with pytest.raises(ModelError, match=r"device mps: only PyTorch .*framefind\[torch\]"):
        open_graph(tmp_path / "onnx/vision_model.onnx", "mps")


class TestCuda:
    def test_that_this_onnx_runtime_has_not(self, tmp_path):
        hubs.clip(tmp_path)
        if backends.has_cuda():
            pytest.skip("this ONNX Runtime has CUDA")
        with pytest.raises(ModelError, match="onnxruntime-gpu"):
            open_graph(tmp_path / "onnx/vision_model.onnx", "cuda")

    @pytest.mark.filterwarnings("ignore:Specified provider")
    def test_that_has_no_gpu(self, tmp_path, monkeypatch, capfd):
        """An ONNX Runtime with CUDA on a machine without: it gives the CPU, or an error."""
        hubs.clip(tmp_path)
        monkeypatch.setattr(backends, "has_cuda", lambda: True)
        graph = open_graph(tmp_path / "onnx/vision_model.onnx", "auto")
        if graph.description.endswith("GPU"):
            pytest.skip("there is a GPU")
        with pytest.raises(ModelError, match="nvidia-smi"):
            open_graph(tmp_path / "onnx/vision_model.onnx", "cuda")
        assert capfd.readouterr().out == ""


def test_an_input_of_a_kind_that_is_unknown(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.DOUBLE, ["n", 3])
    out = helper.make_tensor_value_info("out", TensorProto.DOUBLE, ["n", 3])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["out"])], "g", [image], [out]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="asks for double"):
        open_graph(tmp_path / "model.onnx", "cpu")
