"""framefind's own layout: a `manifest.json` that names the ONNX encoders and all their settings.

`mini` comes in it, and `framefind models export` writes it. docs/models.md describes its entries.
"""

import json
from pathlib import Path

from framefind.models.layouts.base import Encoders, ImageEncoder, TextEncoder
from framefind.models.layouts.settings import open_settings

MANIFEST = "manifest.json"

_CLEANINGS = ("", "lower", "canonical")


def read_manifest(folder: Path) -> Encoders:
    """Read the encoders that a folder's manifest names. Raises ModelError."""
    with open_settings(folder / MANIFEST) as manifest:
        image = manifest["image"]
        text = manifest["text"]
        pad = text.get("pad")
        clean = text.get("clean", "")
        if clean not in _CLEANINGS:
            raise ValueError(f"clean {clean!r}: use {', '.join(map(repr, _CLEANINGS))}")
        neutral = manifest.get("neutral")
        return Encoders(
            ImageEncoder(folder / image["file"], int(image["size"]), str(image["resize"])),
            TextEncoder(
                folder / text["file"],
                folder / text["tokenizer"],
                int(text["max_tokens"]),
                bool(text["special_tokens"]),
                pad=None if pad is None else str(pad),
                pad_left=bool(text.get("pad_left", False)),
                clean=clean,
                masked=bool(text.get("masked", True)),
            ),
            int(manifest["dimensions"]),
            float(manifest.get("scale", 100.0)),
            str(manifest.get("precision", "")),
            None if neutral is None else folder / neutral,
            bool(image.get("resnet", False)),
            str(manifest.get("source", "")),
        )


def write_manifest(folder: Path, name: str, encoders: Encoders) -> None:
    """Write the manifest of encoders whose files lie in the folder. Raises OSError."""
    image = encoders.image
    text = encoders.text
    manifest = {
        "format": 1,
        "name": name,
        "dimensions": encoders.dimensions,
        "scale": encoders.scale,
        "precision": encoders.precision,
        "source": encoders.source,
        "image": {
            "file": image.file.name,
            "size": image.size,
            "resize": image.resize,
            "resnet": encoders.resnet,
        },
        "text": {
            "file": text.file.name,
            "tokenizer": text.tokenizer.name,
            "special_tokens": text.special_tokens,
            "max_tokens": text.max_tokens,
            "pad": text.pad,
            "pad_left": text.pad_left,
            "clean": text.clean,
            "masked": text.masked,
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
