"""The models that people name: their names, where their towers lie, and what they are worth."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from framefind.errors import ChoiceError

MINI = "mini-12"
"""The built-in model, by the name that libraries store: its folder lies beside this file."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Known:
    """A model of the table `known.toml`, whose comments say what each number is."""

    name: str
    repository: str
    torch: str
    size: int
    dimensions: int
    parameters: int
    gmacs: float
    recall: float
    licence: str
    also: tuple[str, ...] = ()
    alias: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the full one first."""
        return (self.name, *self.also, *([self.alias] if self.alias else []))


@cache
def table() -> tuple[Known, ...]:
    """The known models on the hub; `mini` is not among them."""
    import tomllib

    rows = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))["model"]
    return tuple(Known(**{**row, "also": tuple(row.get("also", ()))}) for row in rows)


def best_per_cost(rows: Sequence[Known]) -> set[str]:
    """Names of the models that no other one beats: none as cheap finds more."""
    return {
        row.name
        for row in rows
        if not any(
            other.gmacs <= row.gmacs
            and other.recall >= row.recall
            and (other.gmacs, other.recall) != (row.gmacs, row.recall)
            for other in rows
        )
    }


def full_name(name: str) -> str:
    """The name that a library stores.

    `mini` becomes its version, an alias (`fast`, `balanced`, `best`, `multilingual`) or
    another name of known weights the name in the table, and a `local-dir:` absolute. Any other
    `owner/repository` of the hub stays as it is. `@revision` may follow a name of the hub.

    Raises ChoiceError for what cannot be a model's name, and suggests the nearest ones.
    """
    if name in ("mini", MINI):
        return MINI
    if name.startswith("local-dir:"):
        return f"local-dir:{os.path.realpath(os.path.expanduser(name.removeprefix('local-dir:')))}"
    bare, at, revision = name.removeprefix("hf-hub:").partition("@")
    for row in table():
        if bare in row.names and (revision or not at):
            return f"{row.name}{at}{revision}"
    if _REPOSITORY.fullmatch(bare) and (revision or not at):
        return f"{bare}{at}{revision}"
    raise ChoiceError(f"unknown model {name!r}: {suggestions(name)}")


def is_known(full: str) -> bool:
    """Whether a full name, with or without revision, is of the table."""
    return full.partition("@")[0] in {row.name for row in table()}


def repository(full: str, runtime: str = "onnx") -> tuple[str, str | None]:
    """The hub's repository and revision (None: the newest) of a model's full name.

    A model of the table has one repository of ONNX towers and one of a checkpoint for `torch`.
    Other names are of repositories, or open_clip's, which has to be installed to know them.
    """
    bare, _, revision = full.partition("@")
    for row in table():
        if row.name == bare:
            return row.torch if runtime == "torch" else row.repository, revision or None
    return _of_open_clip(bare) if runtime == "torch" else bare, revision or None


def _of_open_clip(name: str) -> str:
    """The repository of a name such as ViT-B-16/datacomp_xl_s13b_b90k; of others the name."""
    if find_spec("open_clip") is None:
        return name
    try:
        from open_clip import get_pretrained_cfg
    except Exception:  # a torchvision that does not fit its torch raises anything
        return name
    architecture, _, tag = name.partition("/")
    place = (get_pretrained_cfg(architecture, tag) or {}).get("hf_hub") or name
    return "/".join(place.split("/")[:2])


def suggestions(name: str) -> str:
    """What to say to someone who named an unknown model."""
    import difflib

    names = ["mini", MINI, *(one for row in table() for one in row.names)]
    wanted = name.removeprefix("hf-hub:").partition("@")[0].casefold()
    folded = {one.casefold(): one for one in names}
    near = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)
    if near:
        nearest = " or ".join(folded[one] for one in near)
        return f"did you mean {nearest}? `framefind models` lists the known ones"
    return "use mini, one of those that `framefind models` lists, or local-dir:/path/to/folder"
