"""`docs/architecture.md` names every module of the package, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "framefind"
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def listing() -> list[Path]:
    """The files and folders that the page lists, from its indented tree."""
    match = re.search(r"^src/framefind/\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert match, "the page has no listing"
    folders: list[Path] = [PACKAGE]
    paths = []
    for line in match[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        assert line.split()[1:], f"{name} is not described"
        paths.append(folders[depth - 1] / name)
        folders[depth:] = [paths[-1]]
    return paths


def test_every_listed_file_exists() -> None:
    assert [path for path in listing() if not path.exists()] == []


def test_every_module_is_listed_once() -> None:
    listed = sorted(path for path in listing() if path.suffix == ".py")
    modules = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert listed == modules
