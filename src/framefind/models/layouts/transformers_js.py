"""The layout of transformers.js: ONNX graphs in `onnx/` beside settings of transformers.

`Xenova/…` and `onnx-community/…` have it on the hub.
"""

from collections.abc import Collection
from pathlib import Path

from framefind.models.layouts import open_clip, transformers
from framefind.models.layouts.base import Encoders, Files

_SUFFIXES = {"fp32": ("",), "fp16": ("_fp16",), "int8": ("_quantized", "_int8", "_uint8")}
"""Ends of the graphs' names at each precision, best first."""
_SETTINGS = (*transformers.SETTINGS, *open_clip.SETTINGS)


class TransformersJs:
    """ONNX encoders as transformers.js reads them, at up to three precisions."""

    example = "onnx/vision_model.onnx"

    def find(self, names: Collection[str]) -> dict[str, Files]:
        """Return the layout's files among the names by precision; none in another layout."""
        by_precision = {}
        for precision, suffixes in _SUFFIXES.items():
            for suffix in suffixes:
                image = f"onnx/vision_model{suffix}.onnx"
                text = f"onnx/text_model{suffix}.onnx"
                if image in names and text in names:
                    by_precision[precision] = Files.of_graphs(
                        names, image, text, precision, _SETTINGS
                    )
                    break
        return by_precision

    def read(self, folder: Path, files: Files) -> Encoders:
        """Read the settings: of open_clip where the folder has those, else of transformers."""
        image = folder / files.image
        text = folder / files.text
        if open_clip.find_settings(folder):
            return open_clip.read_encoders(folder, image, text, files.precision)
        return transformers.read_encoders(folder, image, text, files.precision)
