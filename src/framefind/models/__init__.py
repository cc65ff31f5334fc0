"""Models: pairs of encoders, image and text, into one space; found by name.

`mini` is our own and ships with the package; known names and repositories of the Hugging Face hub
are downloaded; `local-dir:/path` is a folder. ONNX Runtime runs what comes as ONNX, and PyTorch,
where the extra [torch] is installed, every other checkpoint. docs/models.md describes them.
"""

from framefind.models.base import Agreement, Model
from framefind.models.registry import check, download, export, load

__all__ = ["Agreement", "Model", "check", "download", "export", "load"]
