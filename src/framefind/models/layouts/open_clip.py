"""The layout of open_clip: a checkpoint, and settings in `open_clip_config.json`.

`timm/…` and `apple/…` have it on the hub, PE-Core and MobileCLIP among them. The settings of ONNX
encoders that were exported from open_clip are the same.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind.errors import ModelError
from framefind.models.layouts.base import Checkpoint, Encoders, Files, ImageEncoder, TextEncoder
from framefind.models.layouts.safetensors import read_scale
from framefind.models.layouts.settings import (
    TOKENIZER_FILES,
    open_settings,
    per_channel,
    read_json,
    read_pad_token,
    square_side,
)

if TYPE_CHECKING:
    import torch

SETTINGS = ("open_clip_config.json", *TOKENIZER_FILES)

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pt",
    "model.safetensors",
)
_CLIP_PAD = "!"
"""Token 0 of CLIP's vocabulary, with which open_clip's own tokenizer pads."""

_RESIZE_MODES = {"shortest": "centre", "squash": "squash"}
_CLEANINGS = {"": "", "whitespace": "", "lower": "lower", "canonicalize": "canonical"}
_KNOWN_TOKENIZER_SETTINGS = {"clean"}
_UNKNOWN_TEXT_SETTINGS = ("tokenizer_mode", "tokenizer_type", "variable_text")


class OpenClip:
    """A checkpoint that open_clip loads; it is in one piece, so both encoders are read."""

    example = "open_clip_model.safetensors"

    def find(self, names: Collection[str]) -> Files | None:
        """Return the layout's files among the names; None in another layout."""
        weights = next((name for name in _WEIGHTS if name in names), None)
        if weights is None or "open_clip_config.json" not in names:
            return None
        chosen = [weights, *(name for name in SETTINGS if name in names)]
        return Files(weights, weights, "", tuple(chosen))

    def read(self, folder: Path, files: Files) -> Checkpoint:
        """Read the settings. Raises ModelError when they are malformed, or unknown ones."""
        file = folder / files.image
        encoders = read_encoders(folder, file, file)
        config = read_json(folder / "open_clip_config.json")
        text_config = config.get("model_cfg", config)["text_cfg"]
        _check_text_settings(folder / "open_clip_config.json", text_config)
        if not text_config.get("hf_tokenizer_name"):
            encoders = replace(encoders, text=replace(encoders.text, pad=_CLIP_PAD))
        encoders = replace(encoders, scale=read_scale((file,), encoders.scale))
        return Checkpoint(self, folder, encoders, (file,))

    def load_encoder(
        self, checkpoint: Checkpoint, side: str, dtype: "torch.dtype"
    ) -> "tuple[torch.nn.Module, Callable[..., torch.Tensor]]":
        """Load the model of both encoders, and how to call that of one side."""
        import open_clip

        model = open_clip.create_model(
            f"local-dir:{checkpoint.folder}", load_weights=False, pretrained_text=False
        )
        open_clip.load_checkpoint(model, str(checkpoint.weights[0]), weights_only=True)

        def encode(module: "torch.nn.Module", *inputs: "torch.Tensor") -> "torch.Tensor":
            if side == "image":
                return module.encode_image(inputs[0])
            return module.encode_text(inputs[0])  # which finds padding by itself

        return model.to(dtype), encode


def find_settings(folder: Path) -> Path | None:
    """Return the file of open_clip's settings in a folder, under either name; None without."""
    file = folder / "open_clip_config.json"
    if file.exists():
        return file
    file = folder / "config.json"
    return file if file.exists() and "vision_cfg" in read_json(file) else None


def read_encoders(folder: Path, image: Path, text: Path, precision: str = "") -> Encoders:
    """Read settings of open_clip in a folder, for an image and a text encoder that lie anywhere.

    Raises ModelError when they are missing or malformed.
    """
    with open_settings(find_settings(folder) or folder / "config.json") as config:
        model = config.get("model_cfg", config)
        return Encoders(
            _read_image_encoder(folder, image, config),
            _read_text_encoder(folder, text, model["text_cfg"]),
            int(model["embed_dim"]),
            precision=precision,
            resnet=_is_resnet(model["vision_cfg"]),
        )


def _read_image_encoder(folder: Path, file: Path, config: dict[str, Any]) -> ImageEncoder:
    settings = config.get("preprocess_cfg")
    beside = folder / "visual" / "preprocess_cfg.json"
    if not settings and beside.exists():
        settings = read_json(beside)
    settings = settings or {}
    mode = _RESIZE_MODES[settings.get("resize_mode", "shortest")]
    vision = config.get("model_cfg", config)["vision_cfg"]
    return ImageEncoder(
        file,
        square_side(settings.get("size") or vision["image_size"]),
        f"{settings.get('interpolation', 'bicubic')}, {mode}",
        per_channel(settings["mean"]),
        per_channel(settings["std"]),
    )


def _is_resnet(vision: dict[str, Any]) -> bool:
    is_timm_resnet = "resnet" in str(vision.get("timm_model_name", ""))
    return is_timm_resnet or isinstance(vision.get("layers"), list)


def _read_text_encoder(folder: Path, file: Path, text: dict[str, Any]) -> TextEncoder:
    holder = folder / "textual" if (folder / "textual" / "tokenizer.json").exists() else folder
    tokenizer = holder / "tokenizer.json"
    if tokenizer.exists() or text.get("hf_tokenizer_name"):
        pad = read_pad_token(holder, read_json(holder / "tokenizer_config.json"))
    else:
        tokenizer = _find_clip_vocabulary(folder)
        pad = _CLIP_PAD
    return TextEncoder(
        file,
        tokenizer,
        int(text.get("context_length", 77)),
        pad=pad,
        clean=_CLEANINGS[(text.get("tokenizer_kwargs") or {}).get("clean", "")],
        masked=False,
    )


def _find_clip_vocabulary(folder: Path) -> Path:
    """Return the file of CLIP's vocabulary, which open_clip brings. Raises ModelError without."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        raise ModelError(f"{folder / 'tokenizer.json'}: missing")
    return Path(package.origin).with_name("bpe_simple_vocab_16e6.txt.gz")


def _check_text_settings(file: Path, text: dict[str, Any]) -> None:
    """Raise ModelError for settings of open_clip's tokenizer that framefind does not follow."""
    unknown = {*(text.get("tokenizer_kwargs") or {})} - _KNOWN_TOKENIZER_SETTINGS
    unknown |= {name for name in _UNKNOWN_TEXT_SETTINGS if name in text}
    if unknown:
        raise ModelError(f"{file}: framefind does not know {', '.join(sorted(unknown))}")
