"""The layout of sentence-transformers: that of transformers in a folder beside `modules.json`.

`sentence-transformers/clip-ViT-B-32` and its kin have it on the hub.
"""

from collections.abc import Collection

from framefind.models.layouts.base import Files
from framefind.models.layouts.transformers import Transformers


class SentenceTransformers(Transformers):
    """A checkpoint of transformers one level down, which is read and loaded there."""

    example = "0_CLIPModel/model.safetensors"

    def find(self, names: Collection[str]) -> Files | None:
        """Return the layout's files among the names; None in another layout."""
        if "modules.json" not in names:
            return None
        for folder in sorted({name.partition("/")[0] for name in names if "/" in name}):
            prefix = f"{folder}/"
            inside = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            files = super().find(inside)
            if files:
                chosen = [prefix + name for name in files.names]
                weights = prefix + files.image
                return Files(weights, weights, "", ("modules.json", *chosen))
        return None
