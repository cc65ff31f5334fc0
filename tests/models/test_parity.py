"""Parity with transformers and sentence-transformers on real architectures with random weights.

The same checkpoint is run in every way there is: as ONNX encoders as others export them, by PyTorch
at each precision, out of a sentence-transformers folder, and as ONNX encoders that we export. Where
there is no torch, none of it can be tested.
"""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="parity needs torch")
pytest.importorskip("transformers", reason="parity needs transformers")

from references import (  # noqa: E402
    FAMILIES,
    TEXTS,
    make,
    parity,
    prepared,
    reference_pictures,
    reference_texts,
)

from framefind.models import registry  # noqa: E402
from framefind.models.base import Model  # noqa: E402
from framefind.search import query_images  # noqa: E402
from framefind.video.views import WHOLE, find_content  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


class Tower(torch.nn.Module):
    """One side of a model of transformers, as transformers.js has it exported."""

    def __init__(self, model: "torch.nn.Module", side: str, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.side = side
        self.names = names

    def forward(self, *given):
        features = getattr(self.model, f"get_{self.side}_features")
        return features(**dict(zip(self.names, given, strict=True))).pooler_output


def export(model, side: str, given: dict, output: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    axes = {name: {0: "batch"} for name in (*given, output)}
    torch.onnx.export(
        Tower(model, side, list(given)),
        tuple(given.values()),
        str(file),
        input_names=list(given),
        output_names=[output],
        dynamic_axes=axes,
        dynamo=False,
    )


def as_others_export(pair: SimpleNamespace, folder: Path) -> Path:
    """The layout of transformers.js: settings beside the encoders, and no checkpoint."""
    for part in (pair.model.config, pair.tokenizer, pair.processor):
        part.save_pretrained(folder)
    output = "embeds" if pair.is_clip else "pooler_output"
    image, text = (f"{side}_embeds" if pair.is_clip else output for side in ("image", "text"))
    pixels = {"pixel_values": torch.zeros(2, 3, 224, 224)}
    export(pair.model, "image", pixels, image, folder / "onnx/vision_model.onnx")
    names = ["input_ids", "attention_mask"] if pair.is_clip else ["input_ids"]
    tokens = {name: torch.ones(2, pair.length, dtype=torch.int64) for name in names}
    export(pair.model, "text", tokens, text, folder / "onnx/text_model.onnx")
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, tmp_path_factory) -> SimpleNamespace:
    """A model of transformers, and the folder of its checkpoint."""
    return make(request.param, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def run(pair, tmp_path_factory) -> Callable[[str], Model]:
    """Load the model so that it runs in a way: `onnx`, or by torch at a precision."""
    folder = as_others_export(pair, tmp_path_factory.mktemp("onnx"))

    def load(way: str) -> Model:
        if way in ("onnx", "openvino"):
            if way == "openvino":
                pytest.importorskip("openvino", reason="needs the extra [openvino]")
            return registry.load(f"local-dir:{folder}", "cpu" if way == "onnx" else way)
        return registry.load(f"local-dir:{pair.folder}", precision=way)

    return load


WAYS = {"onnx": 0.9999, "openvino": 0.99, "fp32": 0.9999, "bf16": 0.99}
every_way = pytest.mark.parametrize("way", WAYS)


class TestPictures:
    @every_way
    def test_give_the_same_vectors(self, pair, run, frames, way):
        ours = run(way).embed_images(prepared(pair, frames))
        assert parity(ours, reference_pictures(pair, frames)) >= WAYS[way]

    @every_way
    @pytest.mark.parametrize("harm", ["bgr", "resize", "crop"])
    def test_would_not_if_they_were_prepared_wrongly(self, pair, run, frames, harm, way):
        ours = run(way).embed_images(prepared(pair, frames, harm=harm))
        assert parity(ours, reference_pictures(pair, frames)) < WAYS[way]

    @pytest.mark.parametrize("way", ["onnx", "openvino"])
    def test_of_the_decoder_are_near_enough(self, pair, run, frames, way):
        """One pass of swscale, straight from the decoded picture, against Pillow's bicubic."""
        cut = decoded(pair, frames)
        wanted = prepared(pair, frames)
        assert np.abs(cut.astype(int) - wanted).mean(axis=(1, 2, 3)).max() <= 2.0
        assert parity(run(way).embed_images(cut), reference_pictures(pair, frames)) >= 0.99

    @pytest.mark.parametrize("harm", ["bgr", "resize", "fit"])
    def test_of_the_decoder_would_not_be_if_they_were_cut_wrongly(self, pair, run, frames, harm):
        cut = decoded(pair, frames, harm)
        assert np.abs(cut.astype(int) - prepared(pair, frames)).mean(axis=(1, 2, 3)).max() > 2.0
        assert parity(run("onnx").embed_images(cut), reference_pictures(pair, frames)) < 0.99


def decoded(pair: SimpleNamespace, frames: list, harm: str = "") -> NDArray[np.uint8]:
    """The views that the decoder gives, or with a `harm` to them."""
    middle = pair.is_clip != (harm == "fit")
    cut = np.stack([frame.middle if middle else frame.whole for frame in frames])
    if harm == "resize":  # every eighth pixel, eight times
        cut = cut[:, ::8, ::8].repeat(8, axis=1).repeat(8, axis=2)
    return np.ascontiguousarray(cut[..., ::-1]) if harm == "bgr" else cut


def as_square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).resize((224, 224), reducing_gap=2.0))


class TestQueries:
    """A picture as a query is prepared as the model's own processor would."""

    def embedded(self, model: Model, frames: list) -> NDArray[np.float32]:
        found = []
        for frame in frames:
            file = io.BytesIO()
            Image.fromarray(frame.full).save(file, "BMP")
            found.append(query_images.read_image(file.getvalue(), WHOLE, model.size, model.resize))
        return model.embed_images(np.stack(found))

    @pytest.mark.parametrize("way", ["onnx", "fp32"])
    def test_give_the_same_vectors(self, pair, run, frames, way):
        frames = [frame for frame in frames if find_content(as_square(frame.full)) == WHOLE]
        assert len(frames) >= 50  # the others have black bars, which we leave out
        ours = self.embedded(run(way), frames)
        assert parity(ours, reference_pictures(pair, frames)) >= 0.9999

    @pytest.mark.parametrize("wrong", ["bilinear", "nearest", "fit"])
    def test_would_not_if_they_were_resized_wrongly(self, pair, run, frames, wrong, monkeypatch):
        model = run("onnx")
        resampling, fit = model.resize.split(", ")
        other = {"centre": "squash", "squash": "centre"}[fit]
        said = f"{resampling}, {other}" if wrong == "fit" else f"{wrong}, {fit}"
        monkeypatch.setattr(model, "resize", said)
        assert parity(self.embedded(model, frames), reference_pictures(pair, frames)) < 0.9999


class TestTexts:
    @every_way
    def test_give_the_same_vectors(self, pair, run, way):
        assert len(TEXTS) >= 50
        assert parity(run(way).embed_texts(TEXTS), reference_texts(pair, TEXTS)) >= WAYS[way]

    @every_way
    def test_would_not_if_they_were_padded_wrongly(self, pair, run, way):
        short = [text for text in TEXTS if len(text) < 100]
        ours = run(way).embed_texts(short)
        if pair.is_clip:  # a causal encoder never sees its padding, but it must find the text's end
            wrong = reference_texts(pair, short, add_special_tokens=False)
        else:
            wrong = reference_texts(pair, short, padding=True)
        assert parity(ours, wrong) < WAYS[way]

    @every_way
    def test_would_not_if_they_were_cut_wrongly(self, pair, run, way):
        ours = run(way).embed_texts(TEXTS)
        assert parity(ours, reference_texts(pair, TEXTS, max_length=16)) < WAYS[way]
