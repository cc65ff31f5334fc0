"""What has to be known of a pair of towers to run them, read from the folder they lie in.

Three layouts of ONNX towers, told by their content: our own (`manifest.json`), transformers.js
(`config.json`, `onnx/vision_model.onnx`) and open_clip's as Immich exports it (`config.json` or
`open_clip_config.json`, `visual/model.onnx`). Checkpoints for PyTorch have the same settings.
Nothing is opened here but JSON.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from framefind.errors import ModelError

PRECISIONS = ("fp32", "fp16", "int8")
CLIP_PAD = "!"  # token 0 of CLIP's vocabulary, with which open_clip pads

_SUFFIXES = {"fp32": ("",), "fp16": ("_fp16",), "int8": ("_quantized", "_int8", "_uint8")}
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_CLEANING = {"": "", "whitespace": "", "lower": "lower", "canonicalize": "canonical"}
_SETTINGS = (
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "visual/preprocess_cfg.json",
    "textual/tokenizer.json",
    "textual/tokenizer_config.json",
    "textual/special_tokens_map.json",
)


@dataclass(frozen=True)
class Pictures:
    """The image tower. Without `mean` it takes uint8 (n, size, size, 3) and normalises itself.

    With `mean` and `std`, per channel, it takes float (n, 3, size, size) of values from 0 to 1,
    less the mean, over the deviation.
    """

    file: Path
    size: int
    resize: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.resize.partition(",")[0] not in _RESAMPLING.values():
            raise ValueError(f"resize {self.resize!r}: use {', '.join(_RESAMPLING.values())}")


@dataclass(frozen=True)
class Texts:
    """The text tower and its tokenizer.

    `pad` is the token that fills every text up to `max_tokens`; without one, texts are as long as
    the longest of their batch. `clean` is what happens to a text before: `lower`, `canonical`
    (lower case, no punctuation) or nothing. A tower that is not `masked` attends to padding too.
    """

    file: Path
    tokenizer: Path
    max_tokens: int
    special_tokens: bool = True
    pad: str | None = None
    pad_left: bool = False
    clean: str = ""
    masked: bool = True


@dataclass(frozen=True)
class Towers:
    """Both towers into one space of `dimensions`; `precision` is empty where there is one only."""

    pictures: Pictures
    texts: Texts
    dimensions: int
    scale: float = 100.0
    precision: str = ""
    neutral: Path | None = None
    resnet: bool = False
    """Whether the image tower is a ResNet, which adds up what bf16 loses from layer to layer."""
    source: str = ""
    """The checkpoint that the towers were exported from, if that is known."""

    @property
    def preprocessing(self) -> str:
        """Everything that decides what the towers are given, in words."""
        said = f"{self.pictures.size} px, {self.pictures.resize}"
        if not self.pictures.mean:
            return said
        mean, std = (" ".join(map(str, part)) for part in (self.pictures.mean, self.pictures.std))
        text = f"{self.texts.max_tokens} tokens{self.texts.clean and f', {self.texts.clean}'}"
        return f"{said}, mean {mean}, std {std}; {text}"


@dataclass(frozen=True)
class Files:
    """Which files of a repository hold the towers, relative to it, at one precision."""

    pictures: str
    texts: str
    precision: str
    names: tuple[str, ...]
    """All that is needed: both towers, what lies outside of their graphs, and the settings."""


Choose = Callable[[Collection[str]], Files]
"""Chooses among the names of a repository's files. Raises LookupError, as `choose` does."""


def choose(names: Collection[str], precisions: Sequence[str] = PRECISIONS) -> Files:
    """Choose the ONNX towers among a repository's files, at the first of `precisions` it has.

    Raises LookupError, whose message begins with "has", when it has no towers, or not so.
    """
    found = _pairs(names)
    if not found:
        raise LookupError("has no ONNX towers (onnx/vision_model.onnx or visual/model.onnx)")
    for precision in precisions:
        if pair := found.get(precision):
            outside = [name for name in names if name.startswith(pair)]
            return Files(*pair, precision, tuple(sorted({*outside, *settings_among(names)})))
    raise LookupError(f"has no {precisions[0]} towers, only {', '.join(found)}")


def settings_among(names: Collection[str]) -> list[str]:
    """The settings among the names of a repository's files."""
    return [name for name in _SETTINGS if name in names]


def _pairs(names: Collection[str]) -> dict[str, tuple[str, str]]:
    pairs: dict[str, tuple[str, str]] = {}
    for precision, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            pair = (f"onnx/vision_model{suffix}.onnx", f"onnx/text_model{suffix}.onnx")
            if precision not in pairs and all(name in names for name in pair):
                pairs[precision] = pair
    pair = ("visual/model.onnx", "textual/model.onnx")
    if not pairs and all(name in names for name in pair):
        pairs["fp32"] = pair
    return pairs


def files_in(folder: Path) -> list[str]:
    """The names of the files in a model's folder and one level down."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    return [file.relative_to(folder).as_posix() for file in found if file.is_file()]


def read(folder: Path, chooser: Choose = choose, by: str = "") -> Towers:
    """Read the towers in a folder, which `chooser` chooses.

    `by` names the file of settings to go by; else the content of the folder decides. Raises
    ModelError when it holds no towers, or its settings are missing or malformed.
    """
    reader, settings = _reader(folder, by)
    try:
        return reader(folder, _json(settings), chooser)
    except LookupError as error:
        if isinstance(error, KeyError | IndexError):
            raise ModelError(f"{settings}: missing or wrong entry: {error}") from None
        raise ModelError(f"{folder} {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{settings}: missing or wrong entry: {error}") from None


_Reader = Callable[[Path, dict[str, Any], Choose], Towers]


def _reader(folder: Path, by: str) -> tuple[_Reader, Path]:
    readers: dict[str, _Reader] = {
        "manifest.json": _of_manifest,
        "open_clip_config.json": _of_open_clip,
        "config.json": _of_config,
    }
    for name, reader in readers.items():
        if name == by or (not by and (folder / name).exists()):
            return reader, folder / name
    raise ModelError(
        f"{folder} holds no model: expected manifest.json (framefind's own), "
        "open_clip_config.json (open_clip) or config.json (transformers, Immich)"
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ModelError(f"{file}: expected an object")
    return content


def _of_manifest(folder: Path, manifest: dict[str, Any], chooser: Choose) -> Towers:
    image, text, neutral = manifest["image"], manifest["text"], manifest.get("neutral")
    pad = text.get("pad")
    return Towers(
        Pictures(folder / image["file"], int(image["size"]), str(image["resize"])),
        Texts(
            folder / text["file"],
            folder / text["tokenizer"],
            int(text["max_tokens"]),
            bool(text["special_tokens"]),
            pad=None if pad is None else str(pad),
            pad_left=bool(text.get("pad_left", False)),
            clean={"": "", "lower": "lower", "canonical": "canonical"}[text.get("clean", "")],
            masked=bool(text.get("masked", True)),
        ),
        int(manifest["dimensions"]),
        float(manifest.get("scale", 100.0)),
        str(manifest.get("precision", "")),
        None if neutral is None else folder / neutral,
        bool(image.get("resnet", False)),
        str(manifest.get("source", "")),
    )


def _of_config(folder: Path, config: dict[str, Any], chooser: Choose) -> Towers:
    if "vision_cfg" in config:
        return _of_open_clip(folder, config, chooser)
    kind = config.get("model_type")
    if kind not in ("clip", "siglip"):
        raise LookupError(f"has model type {kind!r}, which framefind cannot run: clip or siglip")
    files = chooser(files_in(folder))
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    settings = _json(folder / "tokenizer_config.json")
    siglip = kind == "siglip"
    first = settings.get("tokenizer_class") == "SiglipTokenizer"
    # A setting that is left out has the default of transformers' CLIPConfig or SiglipConfig.
    longest = int(text.get("max_position_embeddings") or (64 if siglip else 77))
    if siglip:
        dimensions = text.get("projection_size") or vision.get("hidden_size") or 768
    else:
        dimensions = config.get("projection_dim") or 512
    return Towers(
        _transformers_pictures(folder, folder / files.pictures),
        Texts(
            folder / files.texts,
            folder / "tokenizer.json",
            int(min(longest, settings.get("model_max_length") or longest)),
            pad=_pad_token(folder, settings),
            pad_left=settings.get("padding_side") == "left",
            # What the fast tokenizers leave to their caller.
            clean="canonical" if first else "lower" if siglip else "",
            masked=not siglip,
        ),
        int(dimensions),
        precision=files.precision,
    )


def _transformers_pictures(folder: Path, file: Path) -> Pictures:
    if (folder / "preprocessor_config.json").exists():
        settings = _json(folder / "preprocessor_config.json")
    else:
        settings = _json(folder / "processor_config.json")["image_processor"]
    crops = bool(settings.get("do_center_crop"))
    normalised = settings.get("do_normalize", True)
    resampling = _RESAMPLING[settings.get("resample", 3)]
    return Pictures(
        file,
        _side(settings["crop_size"] if crops else settings["size"]),
        f"{resampling}, {'centre' if crops else 'squash'}",
        _channels(settings["image_mean"]) if normalised else (0.0, 0.0, 0.0),
        _channels(settings["image_std"]) if normalised else (1.0, 1.0, 1.0),
    )


def _of_open_clip(folder: Path, config: dict[str, Any], chooser: Choose) -> Towers:
    files = chooser(files_in(folder))
    model = config.get("model_cfg", config)
    beside = folder / "visual" / "preprocess_cfg.json"
    image = config.get("preprocess_cfg") or (_json(beside) if beside.exists() else {})
    mode = {"shortest": "centre", "squash": "squash"}[image.get("resize_mode", "shortest")]
    return Towers(
        Pictures(
            folder / files.pictures,
            _side(image.get("size") or model["vision_cfg"]["image_size"]),
            f"{image.get('interpolation', 'bicubic')}, {mode}",
            _channels(image["mean"]),
            _channels(image["std"]),
        ),
        _open_clip_texts(folder, folder / files.texts, model["text_cfg"]),
        int(model["embed_dim"]),
        precision=files.precision,
        resnet=_is_resnet(model["vision_cfg"]),
    )


def _is_resnet(vision: dict[str, Any]) -> bool:
    named = "resnet" in str(vision.get("timm_model_name", ""))
    return named or isinstance(vision.get("layers"), list)


def _open_clip_texts(folder: Path, file: Path, text: dict[str, Any]) -> Texts:
    holder = folder / "textual" if (folder / "textual" / "tokenizer.json").exists() else folder
    tokenizer, own = holder / "tokenizer.json", not text.get("hf_tokenizer_name")
    if own and not tokenizer.exists():
        tokenizer, pad = _clip_vocabulary(folder), CLIP_PAD
    else:
        pad = _pad_token(holder, _json(holder / "tokenizer_config.json"))
    return Texts(
        file,
        tokenizer,
        int(text.get("context_length", 77)),
        pad=pad,
        clean=_CLEANING[(text.get("tokenizer_kwargs") or {}).get("clean", "")],
        masked=False,
    )


def _clip_vocabulary(folder: Path) -> Path:
    """CLIP's vocabulary, which open_clip brings along."""
    found = find_spec("open_clip")
    if found is None or found.origin is None:
        raise ModelError(f"{folder / 'tokenizer.json'}: missing")
    return Path(found.origin).with_name("bpe_simple_vocab_16e6.txt.gz")


def _pad_token(folder: Path, settings: dict[str, Any]) -> str:
    token = settings.get("pad_token")
    if token is None and (folder / "special_tokens_map.json").exists():
        token = _json(folder / "special_tokens_map.json").get("pad_token")
    if isinstance(token, dict):
        token = token["content"]
    if not isinstance(token, str):
        raise ModelError(f"{folder / 'tokenizer_config.json'}: names no pad_token")
    return token


def _side(size: object) -> int:
    """The side of a square, given as a number, a pair, or height and width."""
    if isinstance(size, dict):
        sides = set(size.values())
    else:
        sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1:
        raise ValueError(f"pictures of size {size}: only square ones are supported")
    return int(sides.pop())


def _channels(values: Sequence[float]) -> tuple[float, ...]:
    if len(values) != 3:
        raise ValueError(f"{values} is not one number per channel")
    return tuple(map(float, values))
