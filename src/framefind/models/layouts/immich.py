"""The layout of Immich: ONNX graphs in `visual/` and `textual/` beside settings of open_clip.

`immich-app/…` has it on the hub.
"""

from collections.abc import Collection
from pathlib import Path

from framefind.models.layouts import open_clip
from framefind.models.layouts.base import Encoders, Files
from framefind.models.layouts.settings import TOKENIZER_FILES

_IMAGE = "visual/model.onnx"
_TEXT = "textual/model.onnx"
_SETTINGS = (
    "config.json",
    "visual/preprocess_cfg.json",
    *(f"textual/{name}" for name in TOKENIZER_FILES),
    *open_clip.SETTINGS,
)


class Immich:
    """ONNX encoders as Immich exports them from open_clip, in fp32 only."""

    example = _IMAGE

    def find(self, names: Collection[str]) -> dict[str, Files]:
        """Return the layout's files among the names by precision; none in another layout."""
        if _IMAGE not in names or _TEXT not in names:
            return {}
        return {"fp32": Files.of_graphs(names, _IMAGE, _TEXT, "fp32", _SETTINGS)}

    def read(self, folder: Path, files: Files) -> Encoders:
        """Read the settings. Raises ModelError when they are missing or malformed."""
        return open_clip.read_encoders(
            folder, folder / files.image, folder / files.text, files.precision
        )
