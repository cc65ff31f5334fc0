import io
import json
from pathlib import Path

import hubs
import numpy as np
import pytest
from PIL import Image

from conftest import scene
from framefind.errors import ModelError
from framefind.models import onnx as onnx_models
from framefind.models import registry
from framefind.models.base import Model
from framefind.models.layouts.base import PRECISIONS
from framefind.search.query_images import read_image
from framefind.video.views import WHOLE

PICTURES = np.random.default_rng(0).integers(0, 256, (70, hubs.SIZE, hubs.SIZE, 3), np.uint8)
PAD, BOS, EOS, UNK = range(4)
A, RED, CAR, DOG, ON, SNOW, MARK, CAPITAL = range(4, 12)


@pytest.fixture(autouse=True)
def forgotten():
    registry._load.cache_clear()


def load(folder: Path, **how: str) -> Model:
    """On the device that computes in the file's own numbers."""
    return registry.load(f"local-dir:{folder}", **{"device": "cpu", **how})


def expected(mean, std) -> np.ndarray:
    """What the image encoder makes of the pictures, as unit rows."""
    values = (PICTURES.transpose(0, 3, 1, 2) / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(
        std, (3, 1, 1)
    )
    flat = values.reshape(len(values), -1).astype(np.float32)
    return hubs.unit(flat @ hubs.weights(1, flat.shape[1], hubs.DIMENSIONS))


class TestPictures:
    @pytest.mark.parametrize(
        ("layout", "mean", "std"),
        [
            ("clip", hubs.MEAN, hubs.STD),
            ("siglip", (0.5,) * 3, (0.5,) * 3),
            ("open_clip", hubs.MEAN, hubs.STD),
        ],
    )
    def test_are_normalised_as_the_settings_say(self, tmp_path, layout, mean, std):
        vectors = load(hubs.LAYOUTS[layout](tmp_path)).embed_images(PICTURES)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, expected(mean, std), atol=1e-5)
        wrong = load(tmp_path).embed_images(PICTURES[..., ::-1].copy())
        assert np.abs(wrong - expected(mean, std)).max() > 0.1

    def test_are_left_alone_where_the_settings_say_so(self, tmp_path):
        hubs.edit(hubs.clip(tmp_path) / "preprocessor_config.json", do_normalize=False)
        vectors = load(tmp_path).embed_images(PICTURES)
        np.testing.assert_allclose(vectors, expected((0, 0, 0), (1, 1, 1)), atol=1e-5)

    def test_settings_in_the_newer_file(self, tmp_path):
        old = hubs.clip(tmp_path) / "preprocessor_config.json"
        settings = json.loads(old.read_text())
        old.unlink()
        hubs.write(tmp_path / "processor_config.json", {"image_processor": settings})
        np.testing.assert_allclose(
            load(tmp_path).embed_images(PICTURES), expected(hubs.MEAN, hubs.STD), atol=1e-5
        )

    def test_none_at_all(self, tmp_path):
        assert load(hubs.clip(tmp_path)).embed_images(PICTURES[:0]).shape == (0, hubs.DIMENSIONS)


class TestQueries:
    """A picture as a query: what a model crops away must not matter, and all else must."""

    def embedded(self, folder: Path, picture: Image.Image) -> np.ndarray:
        file = io.BytesIO()
        picture.save(file, "PNG")
        model = load(folder)
        pixels = read_image(file.getvalue(), WHOLE, model.size, model.resize)
        return model.embed_images(pixels[np.newaxis])[0]

    @pytest.mark.parametrize("size", [(120, 40), (40, 120), (5000, 10)])
    def test_are_cropped_or_squashed(self, tmp_path, size):
        pictures = [scene(3, *size), scene(3, *size)]
        for picture, level in zip(pictures, (90, 255), strict=True):  # all but the middle half
            along = picture if size[1] > size[0] else picture.swapaxes(0, 1)
            along[: len(along) // 4] = along[-len(along) // 4 :] = level
        for layout, cropped in (("clip", True), ("siglip", False), ("open_clip", False)):
            folder = hubs.LAYOUTS[layout](tmp_path / layout)
            found = [self.embedded(folder, Image.fromarray(picture)) for picture in pictures]
            assert np.array_equal(*found) is cropped

    def test_are_resized_as_the_settings_say(self, tmp_path):
        picture = Image.fromarray(scene(5, 90, 90))
        folder = hubs.open_clip(tmp_path)
        found = {}
        for name in ("bicubic", "bilinear"):
            registry._load.cache_clear()
            hubs.edit(folder / "visual/preprocess_cfg.json", interpolation=name)
            found[name] = self.embedded(folder, picture)
            resized = picture.resize((hubs.SIZE, hubs.SIZE), Image.Resampling[name.upper()])
            expected = load(folder).embed_images(np.asarray(resized)[np.newaxis])
            np.testing.assert_allclose(found[name], expected[0], atol=1e-6)
        assert not np.allclose(found["bicubic"], found["bilinear"], atol=1e-4)


class TestTexts:
    """Padding, case, truncation and mask, each of which changes the sum that a encoder gives."""

    def test_of_clip_are_masked_where_they_are_padded(self, tmp_path):
        vectors = load(hubs.clip(tmp_path)).embed_texts(["a red car", ""])
        ids = [[BOS, A, RED, CAR, EOS, PAD, PAD, PAD], [BOS, EOS, *[PAD] * 6]]
        np.testing.assert_allclose(vectors, hubs.embedded(ids, ignored=PAD), atol=1e-5)

    def test_of_siglip_are_padded_without_a_mask_and_lowered(self, tmp_path):
        vectors = load(hubs.siglip(tmp_path)).embed_texts(["A red Car!", ""])
        ids = [[BOS, A, RED, CAR, MARK, EOS, PAD, PAD], [BOS, EOS, *[PAD] * 6]]
        np.testing.assert_allclose(vectors, hubs.embedded(ids), atol=1e-5)

    def test_of_open_clip_are_canonical(self, tmp_path):
        vectors = load(hubs.open_clip(tmp_path)).embed_texts(["A  red_Car!", "dog"])
        ids = [[BOS, A, RED, CAR, EOS, PAD, PAD, PAD], [BOS, DOG, EOS, *[PAD] * 5]]
        np.testing.assert_allclose(vectors, hubs.embedded(ids), atol=1e-5)

    def test_of_open_clip_are_as_they_are_where_the_settings_say_nothing(self, tmp_path):
        folder = hubs.open_clip(tmp_path)
        hubs.edit(folder / "config.json", text_cfg={"context_length": hubs.LENGTH})
        vectors = load(folder).embed_texts(["Car!"])
        ids = [[BOS, UNK, EOS, *[PAD] * 5]]  # one word to this tokenizer: Car!
        split = [[BOS, CAPITAL, MARK, EOS, *[PAD] * 4]]
        found = [np.allclose(vectors, hubs.embedded(way), atol=1e-5) for way in (ids, split)]
        assert any(found)

    @pytest.mark.parametrize("layout", ["siglip", "open_clip"])
    def test_long_ones_are_cut_and_keep_their_end(self, tmp_path, layout):
        vectors = load(hubs.LAYOUTS[layout](tmp_path)).embed_texts(["red " * 200])
        np.testing.assert_allclose(
            vectors, hubs.embedded([[BOS, *[RED] * (hubs.LENGTH - 2), EOS]]), atol=1e-5
        )

    def test_padding_on_the_left(self, tmp_path):
        hubs.edit(hubs.siglip(tmp_path) / "tokenizer_config.json", padding_side="left")
        vectors = load(tmp_path).embed_texts(["dog on snow"])
        ids = [[PAD, PAD, PAD, BOS, DOG, ON, SNOW, EOS]]
        np.testing.assert_allclose(vectors, hubs.embedded(ids), atol=1e-5)

    def test_do_not_depend_on_each_other(self, tmp_path):
        model = load(hubs.clip(tmp_path))
        both = model.embed_texts(["a red car on snow", "dog"])
        np.testing.assert_allclose(both[1], model.embed_texts(["dog"])[0], atol=1e-6)


class TestFingerprint:
    def test_says_what_decides_the_vectors(self, tmp_path):
        fingerprint = load(hubs.clip(tmp_path)).fingerprint
        assert fingerprint["precision"] == "fp32"
        assert fingerprint["dimensions"] == str(hubs.DIMENSIONS)
        assert fingerprint["preprocessing"].startswith(
            "16 px, bicubic, centre, mean 0.48 0.46 0.41"
        )

    @pytest.mark.parametrize(
        ("file", "change"),
        [
            ("preprocessor_config.json", {"image_std": [0.5, 0.5, 0.5]}),
            ("preprocessor_config.json", {"resample": 2}),
            ("tokenizer_config.json", {"model_max_length": 7}),
        ],
    )
    def test_differs_where_the_preprocessing_does(self, tmp_path, file, change):
        before = load(hubs.clip(tmp_path)).fingerprint
        hubs.edit(tmp_path / file, **change)
        registry._load.cache_clear()
        assert load(tmp_path).fingerprint["preprocessing"] != before["preprocessing"]

    def test_precisions_never_share_a_library(self, tmp_path):
        hubs.clip(tmp_path)
        found = [load(tmp_path, precision=precision).fingerprint for precision in PRECISIONS]
        assert [one.pop("precision") for one in found] == list(PRECISIONS)
        assert len({one.pop("weights") for one in found}) == 3
        assert found[0] == found[1] == found[2]


class TestRefuses:
    def test_a_folder_of_something_else(self, tmp_path):
        with pytest.raises(
            ModelError, match=r"manifest\.json .*open_clip_config\.json .*config\.json"
        ):
            load(tmp_path)

    @pytest.mark.parametrize("kind", ["siglip2", "bert", None])
    def test_another_kind_of_model(self, tmp_path, kind):
        hubs.edit(hubs.clip(tmp_path) / "config.json", model_type=kind)
        with pytest.raises(ModelError, match=f"model type {kind!r}"):
            load(tmp_path)

    @pytest.mark.parametrize("layout", hubs.LAYOUTS)
    def test_a_folder_without_encoders(self, tmp_path, layout):
        for encoder in hubs.LAYOUTS[layout](tmp_path).rglob("*.onnx"):
            encoder.unlink()
        with pytest.raises(ModelError, match="has no ONNX encoders"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("layout", "file", "change", "said"),
        [
            (
                "clip",
                "preprocessor_config.json",
                {"crop_size": {"height": 8, "width": 9}},
                "square",
            ),
            ("clip", "preprocessor_config.json", {"image_mean": [0.5]}, "per channel"),
            ("clip", "preprocessor_config.json", {"crop_size": None}, "config.json"),
            ("clip", "tokenizer_config.json", {"pad_token": None}, "pad_token"),
            ("clip", "tokenizer_config.json", {"pad_token": "<none>"}, "<none>"),
            ("open_clip", "visual/preprocess_cfg.json", {"resize_mode": "longest"}, "longest"),
            ("open_clip", "visual/preprocess_cfg.json", {"interpolation": "random"}, "random"),
            ("open_clip", "config.json", {"text_cfg": None}, "config.json"),
            ("siglip", "config.json", {"vision_config": {"hidden_size": 13}}, "promise 13"),
        ],
    )
    def test_wrong_settings(self, tmp_path, layout, file, change, said):
        hubs.edit(hubs.LAYOUTS[layout](tmp_path) / file, **change)
        with pytest.raises(ModelError, match=said):
            registry.check(load(tmp_path))

    def test_encoders_that_ask_for_more(self, tmp_path):
        hubs.text_encoder(hubs.clip(tmp_path) / "onnx/text_model.onnx", "positions", "text_embeds")
        with pytest.raises(ModelError, match="asks for positions"):
            load(tmp_path).embed_texts(["a"])

    def test_a_precision_that_is_not_there(self, tmp_path):
        with pytest.raises(ModelError, match="has no int8 encoders, only fp32"):
            load(hubs.open_clip(tmp_path), precision="int8")
        with pytest.raises(ModelError, match="'int4': use auto, fp32, fp16, bf16 or int8"):
            load(tmp_path, precision="int4")
        with pytest.raises(ModelError, match="one precision only"):
            registry.load("mini", precision="int8")


def test_a_folder_may_hold_open_clips_own_file(tmp_path):
    config = json.loads((hubs.open_clip(tmp_path) / "config.json").read_text())
    settings = json.loads((tmp_path / "visual/preprocess_cfg.json").read_text())
    before = load(tmp_path).embed_images(PICTURES)
    (tmp_path / "config.json").unlink()
    (tmp_path / "visual/preprocess_cfg.json").unlink()
    hubs.write(
        tmp_path / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": settings}
    )
    registry._load.cache_clear()
    np.testing.assert_array_equal(load(tmp_path).embed_images(PICTURES), before)


@pytest.mark.parametrize("layers", [12, [4, 6, 10, 6]])
def test_a_resnet_is_never_rounded(tmp_path, monkeypatch, layers):
    file = hubs.open_clip(tmp_path) / "config.json"
    hubs.edit(file, vision_cfg={"image_size": hubs.SIZE, "layers": layers})
    asked = []
    opened = onnx_models.open_graph

    def open_graph(file, device, may_round=False, threads=0):
        asked.append(may_round)
        return opened(file, "cpu")

    monkeypatch.setattr(onnx_models, "open_graph", open_graph)
    load(tmp_path).embed_images(PICTURES)
    assert asked == [layers == 12]


def test_half_precision_inputs(tmp_path):
    """Some fp16 graphs take fp16 numbers, not only compute with them."""
    import onnx
    from onnx import TensorProto, helper

    folder = hubs.clip(tmp_path)
    file = folder / "onnx/vision_model_fp16.onnx"
    model = onnx.load(file)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    cast = helper.make_node("Cast", ["pixel_values"], ["full"], to=TensorProto.FLOAT)
    model.graph.node[0].input[0] = "full"
    model.graph.node.insert(0, cast)
    onnx.save(model, file)
    vectors = load(folder, precision="fp16").embed_images(PICTURES)
    assert (vectors * expected(hubs.MEAN, hubs.STD)).sum(axis=1).min() > 0.9999


def test_a_picture_may_be_any_array(tmp_path):
    """Also one that Pillow made, which nobody may write into."""
    picture = np.asarray(Image.new("RGB", (hubs.SIZE, hubs.SIZE), "red"))[np.newaxis]
    assert np.isfinite(load(hubs.open_clip(tmp_path)).embed_images(picture)).all()
