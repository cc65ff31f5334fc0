"""The layout of transformers: a CLIP or SigLIP checkpoint in safetensors, and its settings.

`openai/…`, `google/…` and `laion/…` have it on the hub. SigLIP 2 has the settings of SigLIP.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind.errors import ModelError
from framefind.models.layouts.base import Checkpoint, Encoders, Files, ImageEncoder, TextEncoder
from framefind.models.layouts.safetensors import SHARD_INDEX, find_shards, read_scale
from framefind.models.layouts.settings import (
    RESIZE_FILTERS,
    TOKENIZER_FILES,
    open_settings,
    per_channel,
    read_json,
    read_pad_token,
    square_side,
)

if TYPE_CHECKING:
    import torch

SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "vocab.json",
    "merges.txt",
    *TOKENIZER_FILES,
)

_WEIGHTS = ("model.safetensors", SHARD_INDEX)
# What CLIPConfig and SiglipConfig of transformers take for settings that are left out.
_DEFAULT_CLIP_TOKENS = 77
_DEFAULT_SIGLIP_TOKENS = 64
_DEFAULT_CLIP_DIMENSIONS = 512
_DEFAULT_SIGLIP_DIMENSIONS = 768


class Transformers:
    """A checkpoint that transformers loads."""

    example = "model.safetensors"

    def find(self, names: Collection[str]) -> Files | None:
        """Return the layout's files among the names; None in another layout."""
        # timm's repositories have the same names but for the preprocessor's settings.
        preprocessor = {"preprocessor_config.json", "processor_config.json"}
        weights = next((name for name in _WEIGHTS if name in names), None)
        if weights is None or "config.json" not in names or preprocessor.isdisjoint(names):
            return None
        chosen = [weights, *(name for name in SETTINGS if name in names)]
        if weights == SHARD_INDEX:
            chosen += [name for name in names if name.startswith("model-") and ".safetens" in name]
        return Files(weights, weights, "", tuple(chosen))

    def read(self, folder: Path, files: Files) -> Checkpoint:
        """Read the settings. Raises ModelError when they, or shards, are missing or malformed."""
        file = folder / files.image
        encoders = read_encoders(file.parent, file, file)
        if not encoders.text.tokenizer.exists():
            vocabulary = replace(encoders.text, tokenizer=file.with_name("vocab.json"))
            encoders = replace(encoders, text=vocabulary)
        weights = find_shards(file)
        encoders = replace(encoders, scale=read_scale(weights, encoders.scale))
        return Checkpoint(self, file.parent, encoders, weights)

    def load_encoder(
        self, checkpoint: Checkpoint, side: str, dtype: "torch.dtype"
    ) -> "tuple[torch.nn.Module, Callable[..., torch.Tensor]]":
        """Load the encoder of one side, and how to call it; the other one is not even read."""
        import transformers

        folder = str(checkpoint.folder)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        is_clip = config.model_type == "clip"
        part = config.vision_config if side == "image" else config.text_config
        if is_clip:
            part.projection_dim = config.projection_dim
        loader, output = _CLASSES[is_clip, side]
        model, report = getattr(transformers, loader).from_pretrained(
            folder,
            config=part,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        if report["missing_keys"]:
            keys = ", ".join(sorted(report["missing_keys"])[:3])
            raise ModelError(f"{checkpoint.weights[0]}: not all weights are there, it lacks {keys}")

        def encode(module: "torch.nn.Module", *inputs: "torch.Tensor") -> "torch.Tensor":
            if is_clip and side == "text":
                encoded = module(input_ids=inputs[0], attention_mask=inputs[1])
            else:
                encoded = module(inputs[0])
            return getattr(encoded, output)

        return model, encode


_CLASSES = {
    (True, "image"): ("CLIPVisionModelWithProjection", "image_embeds"),
    (True, "text"): ("CLIPTextModelWithProjection", "text_embeds"),
    (False, "image"): ("SiglipVisionModel", "pooler_output"),
    (False, "text"): ("SiglipTextModel", "pooler_output"),
}
"""The class of transformers for (CLIP or SigLIP, side), and the output that is the vector."""


def read_encoders(folder: Path, image: Path, text: Path, precision: str = "") -> Encoders:
    """Read settings of transformers in a folder, for an image and a text encoder that lie anywhere.

    Raises ModelError when they are missing or malformed, or of another model than CLIP or SigLIP.
    """
    with open_settings(folder / "config.json") as config:
        kind = config.get("model_type")
        if kind not in ("clip", "siglip"):
            raise ModelError(
                f"{folder} has model type {kind!r}, which framefind cannot run: clip or siglip"
            )
        return Encoders(
            _read_image_encoder(folder, image),
            _read_text_encoder(folder, text, config),
            _dimensions(config),
            precision=precision,
        )


def _dimensions(config: dict[str, Any]) -> int:
    if config["model_type"] == "clip":
        return int(config.get("projection_dim") or _DEFAULT_CLIP_DIMENSIONS)
    text = config.get("text_config") or {}
    vision = config.get("vision_config") or {}
    projection = text.get("projection_size") or vision.get("hidden_size")
    return int(projection or _DEFAULT_SIGLIP_DIMENSIONS)


def _read_text_encoder(folder: Path, file: Path, config: dict[str, Any]) -> TextEncoder:
    settings = read_json(folder / "tokenizer_config.json")
    siglip = config["model_type"] == "siglip"
    default = _DEFAULT_SIGLIP_TOKENS if siglip else _DEFAULT_CLIP_TOKENS
    positions = (config.get("text_config") or {}).get("max_position_embeddings") or default
    clean = ""  # what the fast tokenizers leave to their caller
    if settings.get("tokenizer_class") == "SiglipTokenizer":
        clean = "canonical"
    elif siglip:
        clean = "lower"
    return TextEncoder(
        file,
        folder / "tokenizer.json",
        int(min(int(positions), settings.get("model_max_length") or positions)),
        pad=read_pad_token(folder, settings),
        pad_left=settings.get("padding_side") == "left",
        clean=clean,
        masked=not siglip,
    )


def _read_image_encoder(folder: Path, file: Path) -> ImageEncoder:
    if (folder / "preprocessor_config.json").exists():
        settings = read_json(folder / "preprocessor_config.json")
    else:
        settings = read_json(folder / "processor_config.json")["image_processor"]
    crops = bool(settings.get("do_center_crop"))
    normalizes = settings.get("do_normalize", True)
    resize_filter = RESIZE_FILTERS[settings.get("resample", 3)]
    return ImageEncoder(
        file,
        square_side(settings["crop_size"] if crops else settings["size"]),
        f"{resize_filter}, {'centre' if crops else 'squash'}",
        per_channel(settings["image_mean"]) if normalizes else (0.0, 0.0, 0.0),
        per_channel(settings["image_std"]) if normalizes else (1.0, 1.0, 1.0),
    )
