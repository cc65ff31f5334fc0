"""The known models: their names, where their encoders lie on the hub, and published figures."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from framefind.errors import ChoiceError

MINI = "mini-13"
"""The built-in model, by the name that libraries store: its folder lies beside this file."""

MINI_GMACS = 0.14
"""What `mini` takes here for an image, as multiply-adds of a ViT at fp32, in billions.

Measured in turn on cores with AVX-512: `mini-12` took 4.18 ms where ViT-B/32 took 90.7, and 414
images take it as long as 609 take this one.
"""

_MIN_SIMILARITY = 0.6
"""Of difflib's ratio, from 0 to 1, for a name to be suggested."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class KnownModel:
    """A model of `catalog.toml`, whose comments explain each entry."""

    name: str
    repository: str
    torch: str
    size: int
    dimensions: int
    parameters: int
    gmacs: float
    licence: str
    recall: float | None = None
    video: float | None = None
    also: tuple[str, ...] = ()
    alias: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all its names, the full one first."""
        return (self.name, *self.also, *([self.alias] if self.alias else []))

    @property
    def gigabytes(self) -> float:
        """Return the size of both encoders at fp32."""
        return self.parameters * 4 / 1000

    @property
    def has_onnx(self) -> bool:
        """Return whether ONNX encoders are on the hub; other weights need PyTorch, or an export."""
        return self.repository != self.torch


def mini_gigabytes() -> float:
    """Return the size of the files of `mini`."""
    files = Path(__file__).with_name(MINI).iterdir()
    return sum(file.stat().st_size for file in files) / 1e9


@cache
def known_models() -> tuple[KnownModel, ...]:
    """Return the known models on the hub; `mini` is not among them."""
    import tomllib

    rows = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))["model"]
    return tuple(KnownModel(**{**row, "also": tuple(row.get("also", ()))}) for row in rows)


def best_per_cost(models: Sequence[KnownModel]) -> set[str]:
    """Return the names of the models that no other one beats in both cost and recall."""
    measured = [(model.name, model.gmacs, model.recall) for model in models if model.recall]
    return {
        name
        for name, gmacs, recall in measured
        if not any(
            other_gmacs <= gmacs
            and other_recall >= recall
            and (other_gmacs, other_recall) != (gmacs, recall)
            for _, other_gmacs, other_recall in measured
        )
    }


def full_name(name: str) -> str:
    """Return the full name of a model, which is what a library stores.

    `mini` becomes its version; an alias (`fast`, `balanced`, `best`, `multilingual`) or another
    name of known weights becomes the name in the catalog; `local-dir:` becomes absolute. Any other
    `owner/repository` of the hub stays as it is. `@revision` may follow a name of the hub.

    Raises ChoiceError for what cannot be a model's name, and suggests the nearest ones.
    """
    if name in ("mini", MINI):
        return MINI
    if name.startswith("local-dir:"):
        return f"local-dir:{os.path.realpath(os.path.expanduser(name.removeprefix('local-dir:')))}"
    bare, at, revision = name.removeprefix("hf-hub:").partition("@")
    for model in known_models():
        if bare in model.names and (revision or not at):
            return f"{model.name}{at}{revision}"
    if _REPOSITORY.fullmatch(bare) and (revision or not at):
        return f"{bare}{at}{revision}"
    raise ChoiceError(f"unknown model {name!r}: {suggest_names(name)}")


def restriction_of(full: str) -> str | None:
    """Return what the licence of a model's weights forbids, as far as we know; None if nothing."""
    if "mobileclip" in full.casefold():
        return "the weights of MobileCLIP and MobileCLIP2 are licensed for research only"
    return None


def is_known(full: str) -> bool:
    """Return whether a full name, with or without revision, is that of a known model."""
    return full.partition("@")[0] in {model.name for model in known_models()}


def find_repository(full: str, runtime: str = "onnx") -> tuple[str, str | None]:
    """Return the hub's repository of a model's full name, and the revision (None: the newest).

    A known model has one repository of ONNX encoders and one of a checkpoint for the runtime
    `torch`. Other names are of repositories, or of open_clip where that is installed.
    """
    bare, _, revision = full.partition("@")
    for model in known_models():
        if model.name == bare:
            return model.torch if runtime == "torch" else model.repository, revision or None
    return _find_open_clip_repository(bare) if runtime == "torch" else bare, revision or None


def _find_open_clip_repository(name: str) -> str:
    """Return open_clip's repository of a name such as ViT-B-16/datacomp_xl_s13b_b90k.

    Other names are returned as they are.
    """
    if find_spec("open_clip") is None:
        return name
    try:
        from open_clip import get_pretrained_cfg
    except Exception:  # a torchvision that does not fit its torch raises anything
        return name
    architecture, _, tag = name.partition("/")
    path = (get_pretrained_cfg(architecture, tag) or {}).get("hf_hub") or name
    return "/".join(path.split("/")[:2])


def suggest_names(name: str) -> str:
    """Return what an error says about an unknown name: the nearest names, or where to look."""
    import difflib

    names = ["mini", MINI, *(name for model in known_models() for name in model.names)]
    by_folded = {name.casefold(): name for name in names}
    bare = name.removeprefix("hf-hub:").partition("@")[0].casefold()
    close = difflib.get_close_matches(bare, by_folded, n=3, cutoff=_MIN_SIMILARITY)
    if close:
        nearest = " or ".join(by_folded[folded] for folded in close)
        return f"did you mean {nearest}? `framefind models` lists the known ones"
    return "use mini, one of those that `framefind models` lists, or local-dir:/path/to/folder"
