import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from framefind.errors import ModelError
from framefind.models import registry
from framefind.models.neutral import load_neutral

SHIPPED = Path(registry.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / registry.full_name("mini"), tmp_path / "model"))


def edit(folder: Path, key: str, value: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[key] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))


class TestMini:
    def test_gives_unit_rows_that_depend_on_no_other(self):
        model = registry.load("mini")
        pictures = np.random.default_rng(0).integers(
            0, 256, (70, model.size, model.size, 3), np.uint8
        )
        vectors = model.embed_images(pictures)
        assert (vectors.shape, vectors.dtype) == ((70, model.dimensions), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(model.embed_images(pictures[65:66]), vectors[65:66], atol=1e-3)
        texts = ["a dog", "a much longer text about a dog that runs along a beach", "🎬", ""]
        vectors = model.embed_texts(texts)
        assert (vectors.shape, vectors.dtype) == ((4, model.dimensions), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        for at, text in enumerate(texts):
            np.testing.assert_allclose(model.embed_texts([text])[0], vectors[at], atol=1e-4)
        assert model.embed_texts([]).shape == (0, model.dimensions)
        assert model.embed_images(pictures[:0]).shape == (0, model.dimensions)

    def test_a_text_of_any_length(self):
        assert np.isfinite(registry.load("mini").embed_texts(["word " * 5000])).all()

    def test_reads_other_words_for_one_thing_as_one_of_them(self):
        texts = ["Kids on a sofa", "children on a couch", "children on an ocean"]
        same, usual, other = registry.load("mini").embed_texts(texts)
        np.testing.assert_array_equal(same, usual)
        assert usual @ other < 0.95

    def test_is_stored_by_its_version(self):
        assert registry.full_name("mini").startswith("mini-")
        assert registry.load("mini").name == registry.full_name("mini")
        assert registry.load("mini").fingerprint["model"] == registry.full_name("mini")

    def test_passes_the_self_test(self):
        registry.check(registry.load("mini"))

    def test_brings_neutral_pictures(self):
        neutral = load_neutral(registry.load("mini"))
        assert neutral.of_images
        assert neutral.axes.shape[1:] == neutral.mean.shape == (registry.load("mini").dimensions,)


def test_a_library_of_a_version_that_left_says_how_to_move_over():
    fingerprint = registry.load("mini").fingerprint | {"model": "mini-3"}
    with pytest.raises(ModelError, match="mini-3 is not part.*mini-13.*index --reembed"):
        registry.reopen(fingerprint)


class TestFolder:
    def test_is_a_model_of_its_own(self, folder):
        model = registry.load(f"local-dir:{folder}")
        mini = registry.load("mini")
        np.testing.assert_array_equal(model.embed_texts(["a dog"]), mini.embed_texts(["a dog"]))
        assert model.fingerprint["weights"] == mini.fingerprint["weights"]
        assert model.fingerprint["model"] == f"local-dir:{folder.resolve()}"

    def test_its_name_is_absolute(self, folder, monkeypatch):
        monkeypatch.chdir(folder.parent)
        assert registry.full_name("local-dir:model") == f"local-dir:{folder.resolve()}"

    def test_other_weights_have_another_fingerprint(self, folder):
        before = registry.load(f"local-dir:{folder}").fingerprint
        with (folder / "text.onnx").open("ab") as file:
            file.write(b"\0")
        registry._load.cache_clear()
        after = registry.load(f"local-dir:{folder}").fingerprint
        assert before.pop("weights") != after.pop("weights")
        assert before == after

    def test_refuses_a_folder_without_a_manifest(self, tmp_path):
        with pytest.raises(ModelError, match="manifest"):
            registry.load(f"local-dir:{tmp_path}")

    @pytest.mark.parametrize(
        ("key", "value"), [("dimensions", "many"), ("image", None), ("text", {"file": "t"})]
    )
    def test_refuses_a_wrong_manifest(self, folder, key, value):
        edit(folder, key, value)
        with pytest.raises(ModelError, match="manifest.json: missing or wrong entry"):
            registry.load(f"local-dir:{folder}")

    @pytest.mark.parametrize("text", ["[1]", "{"])
    def test_refuses_what_is_no_manifest(self, folder, text):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(ModelError, match="manifest.json"):
            registry.load(f"local-dir:{folder}")

    def test_without_neutral_pictures_texts_take_their_place(self, folder):
        edit(folder, "neutral", None)
        model = registry.load(f"local-dir:{folder}")
        first = load_neutral(model)
        assert not first.of_images
        assert np.isfinite(first.axes).all()
        model.embed_texts = None  # they are kept, and not embedded again
        np.testing.assert_array_equal(load_neutral(model).axes, first.axes)

    @pytest.mark.parametrize("content", [b"", b"numbers", None])
    def test_refuses_neutral_pictures_that_cannot_be_read(self, folder, content):
        (folder / "neutral.npz").unlink()
        if content is not None:
            (folder / "neutral.npz").write_bytes(content)
        with pytest.raises(ModelError, match=r"neutral\.npz"):
            registry.load(f"local-dir:{folder}")

    def test_refuses_a_damaged_encoder(self, folder):
        (folder / "text.onnx").write_bytes(b"weights")
        with pytest.raises(ModelError, match="text.onnx"):
            registry.load(f"local-dir:{folder}").embed_texts(["a dog"])

    def test_refuses_a_missing_encoder(self, folder):
        (folder / "image.onnx").unlink()
        with pytest.raises(ModelError, match="image.onnx"):
            _ = registry.load(f"local-dir:{folder}").fingerprint


@pytest.mark.parametrize("name", ["nothing", "mini-999", "", "mini-1/../mini-1"])
def test_an_unknown_model_is_refused_with_those_there_are(name):
    with pytest.raises(ModelError, match="mini"):
        registry.load(name)


def test_an_unknown_device_is_refused():
    with pytest.raises(ModelError, match="abacus"):
        registry.load("mini", "abacus").embed_texts(["a"])


class Fake:
    name = "fake"
    dimensions = 4
    size = 8
    scale = 100.0
    resize = "bilinear"
    backend = "nothing"
    fingerprint: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, pictures: object, texts: object) -> None:
        self._pictures = pictures
        self._texts = texts

    def embed_images(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array(self._pictures, np.float32)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return np.array(self._texts, np.float32)


class TestCheck:
    GOOD = ((1, 0, 0, 0), (0, 1, 0, 0))

    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            (((1, 0, 0, 0), (1, 0, 0, 0)), "the same vector"),
            (((1, 0, 0, 0), (float("nan"), 0, 0, 0)), "not finite"),
            (((1, 0, 0, 0), (0, 2, 0, 0)), "unit length"),
            (((1, 0, 0, 0), (0, 0, 0, 0)), "unit length"),
            (((1, 0), (0, 1)), "shape"),
        ],
    )
    def test_refuses_useless_vectors(self, bad, said):
        registry.check(Fake(self.GOOD, self.GOOD))
        with pytest.raises(ModelError, match=f"image encoder gives .*{said}"):
            registry.check(Fake(bad, self.GOOD))
        with pytest.raises(ModelError, match=f"text encoder gives .*{said}"):
            registry.check(Fake(self.GOOD, bad))
