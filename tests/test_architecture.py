"""`docs/architecture.md` names every module of the package, and no other."""

import ast
import re
from pathlib import Path

from test_layout import ORDER

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "framefind"
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def listing() -> list[Path]:
    """Return the files and folders that the page lists, from its indented tree."""
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


def test_the_rule_of_imports_is_the_one_that_is_tested() -> None:
    match = re.search(r"^```text\n(cli\n.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert match, "the page has no rule"
    existing = {path.stem for path in PACKAGE.iterdir()}
    assert re.findall(r"\w+", match[1]) == [part for part in ORDER if part in existing]


STEP = re.compile(r"^\| [^|]+ \| `([\w.]+)` \| `([\w/]+\.py)` \|$", re.MULTILINE)


def defined_names(module: Path) -> set[str]:
    """Return the classes and functions of a module, and `Class.method`."""
    names = set()
    for node in ast.parse(module.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if hasattr(part, "name")}
    return names


def test_every_step_of_the_walks_exists() -> None:
    steps = STEP.findall((ROOT / "docs" / "contributing.md").read_text("utf-8"))
    assert len(steps) > 20
    for name, file in steps:
        assert name in defined_names(PACKAGE / file), f"{file}: {name}"
