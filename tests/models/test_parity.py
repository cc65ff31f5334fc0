"""Parity with transformers on real architectures: random weights, exported as the hub has them.

These need torch and transformers, which framefind itself never does.
"""

from pathlib import Path
from types import SimpleNamespace

import hubs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from framefind import models
from framefind.video import Video
from framefind.video.samplers import Sampler
from framefind.views import Views

torch = pytest.importorskip("torch", reason="parity with transformers needs torch")
transformers = pytest.importorskip("transformers", reason="parity needs transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "videos" / "scenes"
TEXTS = [
    "a red car", "A Red Car!", "", " ", "?", "naïve café in São Paulo", "Straße über Åland",
    "犬が浜辺を走る", "собака на пляже", "🎬 a clapperboard 🐕‍🦺", "word " * 200,
    "re-open the door, please",
    *(f"{what} {where}" for what in ("a dog", "two children", "an old man", "nobody", "a boat")
      for where in ("on the beach", "in the snow", "at night", "by a window", "in a kitchen",
                    "on stage", "under water", "next to a fire")),
]  # fmt: skip


@pytest.fixture(scope="module")
def frames() -> list[SimpleNamespace]:
    """Real frames: the full picture, and 224 pixels of the whole and of the middle square.

    The latter two as the decoder makes them for views: in one pass from the decoded picture.
    """
    if not VIDEOS.is_dir():
        pytest.skip("no real videos beside the repository")
    found = []
    for path in sorted(VIDEOS.rglob("*.mp4")):
        with Video(path) as video:
            for frame in video.frames(Sampler.parse("count=1")):
                full = frame.scale(frame.width, frame.height)
                whole = Views.parse("whole").cut(frame.scale, *full.shape[1::-1], 224)[0]
                factor = 224 / min(frame.width, frame.height)
                width = max(224, int(frame.width * factor))
                height = max(224, int(frame.height * factor))
                left, top = (width - 224) // 2, (height - 224) // 2
                middle = frame.scale(width, height)[top : top + 224, left : left + 224]
                found.append(SimpleNamespace(full=full, whole=whole, middle=middle))
    assert len(found) >= 50
    return found


def _vocabulary(space: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A tiny vocabulary of bytes and some merges, as CLIP's or, with `space`, as Gemma's."""
    from tokenizers.pre_tokenizers import ByteLevel

    if space:
        tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
        tokens += [f"<0x{byte:02X}>" for byte in range(256)]
        tokens += [space, *map(chr, range(97, 123))]
        merges = [(space, letter) for letter in "abcdst"] + [("t", "h"), ("o", "n"), ("th", "e")]
    else:
        letters = sorted(ByteLevel.alphabet())
        tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
        merges = [
            ("t", "h"),
            ("th", "e</w>"),
            ("a", "r"),
            ("o", "n</w>"),
            ("d", "o"),
            ("do", "g</w>"),
        ]
    tokens += ["".join(pair) for pair in merges]
    if not space:
        tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: place for place, token in enumerate(tokens)}, merges


class Tower(torch.nn.Module):
    """One side of a model of transformers, as it is exported."""

    def __init__(self, model: "torch.nn.Module", side: str, names: list[str]) -> None:
        super().__init__()
        self.model, self.side, self.names = model, side, names

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


def clip() -> tuple:
    vocabulary, merges = _vocabulary("")
    tokenizer = transformers.CLIPTokenizer(vocabulary, merges)
    ends = {f"{end}_token_id": vocabulary["<|endoftext|>"] for end in ("eos", "pad")}
    text = WIDTH | ends | {"bos_token_id": vocabulary["<|startoftext|>"]}
    config = transformers.CLIPConfig(
        text_config=text | {"vocab_size": len(vocabulary)},
        vision_config=WIDTH | {"image_size": 224, "patch_size": 32},
        projection_dim=96,
    )
    return transformers.CLIPModel(config), tokenizer, transformers.CLIPImageProcessorPil(), 77


def siglip() -> tuple:
    vocabulary, merges = _vocabulary("▁")
    tokenizer = transformers.Siglip2Tokenizer(vocabulary, merges, padding_side="right")
    config = transformers.SiglipConfig(
        text_config=WIDTH | {"vocab_size": len(vocabulary), "max_position_embeddings": 64},
        vision_config=WIDTH | {"image_size": 224, "patch_size": 32},
    )
    processor = transformers.SiglipImageProcessorPil()
    return transformers.SiglipModel(config), tokenizer, processor, 64


WIDTH = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3}
WIDTH |= {"num_attention_heads": 4}


@pytest.fixture(scope="module", params=[clip, siglip], ids=["clip", "siglip"])
def pair(request, tmp_path_factory) -> SimpleNamespace:
    """A model of transformers, and the folder of its exported towers."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(1)
    model, tokenizer, processor, length = request.param()
    model.eval()
    tokenizer.model_max_length = length
    for part in (model.config, tokenizer, processor):
        part.save_pretrained(folder)
    is_clip = request.param is clip
    output = ("image_embeds", "text_embeds") if is_clip else ("pooler_output", "pooler_output")
    pixels = {"pixel_values": torch.zeros(2, 3, 224, 224)}
    export(model, "image", pixels, output[0], folder / "onnx/vision_model.onnx")
    names = ["input_ids", "attention_mask"] if is_clip else ["input_ids"]
    tokens = {name: torch.ones(2, length, dtype=torch.int64) for name in names}
    export(model, "text", tokens, output[1], folder / "onnx/text_model.onnx")
    return SimpleNamespace(
        folder=folder, model=model, tokenizer=tokenizer, processor=processor, is_clip=is_clip
    )


def reference_pictures(pair: SimpleNamespace, frames: list) -> NDArray[np.float32]:
    given = pair.processor([Image.fromarray(frame.full) for frame in frames], return_tensors="pt")
    with torch.no_grad():
        return pair.model.get_image_features(**given).pooler_output.numpy()


def reference_texts(pair: SimpleNamespace, texts: list[str], **how: object) -> NDArray[np.float32]:
    how = {"padding": True if pair.is_clip else "max_length", "truncation": True} | how
    given = pair.tokenizer(texts, return_tensors="pt", **how)
    if not pair.is_clip:
        given = {"input_ids": given["input_ids"]}
    with torch.no_grad():
        return pair.model.get_text_features(**given).pooler_output.numpy()


def parity(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The lowest cosine of two lists of vectors, each of unit length, less their common mean."""
    ours, theirs = hubs.unit(ours), hubs.unit(theirs)
    mean = theirs.mean(axis=0)
    return float((hubs.unit(ours - mean) * hubs.unit(theirs - mean)).sum(axis=1).min())


def load(pair: SimpleNamespace) -> models.Model:
    return models.load(f"local-dir:{pair.folder}")


def prepared(pair: SimpleNamespace, frames: list, resample=Image.Resampling.BICUBIC, shift=0):
    """The pictures as the processor resizes and crops them, uint8; `shift` moves the crop."""
    found = []
    for frame in frames:
        picture = Image.fromarray(frame.full)
        width, height = 224, 224
        if pair.is_clip:
            factor = 224 / min(picture.size)
            width, height = (max(224, int(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), resample)
        left, top = (width - 224) // 2 + shift, (height - 224) // 2
        found.append(np.asarray(picture.crop((left, top, left + 224, top + 224))))
    return np.stack(found)


class TestPictures:
    def test_give_the_same_vectors(self, pair, frames):
        ours = load(pair).embed_images(prepared(pair, frames))
        assert parity(ours, reference_pictures(pair, frames)) >= 0.9999

    @pytest.mark.parametrize("harm", ["bgr", "resize", "crop"])
    def test_would_not_if_they_were_prepared_wrongly(self, pair, frames, harm):
        nearest = Image.Resampling.NEAREST
        pictures = prepared(pair, frames, *([nearest] if harm == "resize" else []),
                            shift=16 if harm == "crop" else 0)  # fmt: skip
        if harm == "bgr":
            pictures = np.ascontiguousarray(pictures[..., ::-1])
        assert parity(load(pair).embed_images(pictures), reference_pictures(pair, frames)) < 0.9999

    def test_of_the_decoder_are_near_enough(self, pair, frames):
        """One pass of swscale, straight from the decoded picture, against Pillow's bicubic."""
        cut = np.stack([frame.middle if pair.is_clip else frame.whole for frame in frames])
        wanted = prepared(pair, frames)
        assert np.abs(cut.astype(int) - wanted).mean(axis=(1, 2, 3)).max() <= 2.0
        cosine = parity(load(pair).embed_images(cut), reference_pictures(pair, frames))
        assert cosine >= 0.99


class TestTexts:
    def test_give_the_same_vectors(self, pair):
        assert len(TEXTS) >= 50
        assert parity(load(pair).embed_texts(TEXTS), reference_texts(pair, TEXTS)) >= 0.9999

    def test_would_not_if_they_were_padded_wrongly(self, pair):
        short = [text for text in TEXTS if len(text) < 100]
        ours = load(pair).embed_texts(short)
        if pair.is_clip:  # a causal tower never sees its padding, but it must find the text's end
            wrong = reference_texts(pair, short, add_special_tokens=False)
        else:
            wrong = reference_texts(pair, short, padding=True)
        assert parity(ours, wrong) < 0.9999

    def test_would_not_if_they_were_cut_wrongly(self, pair):
        ours = load(pair).embed_texts(TEXTS)
        assert parity(ours, reference_texts(pair, TEXTS, max_length=16)) < 0.9999
