"""The layout of the package: imports run down, without circles, and every module is small.

All imports count: those at the top of a module, inside functions, and for type checkers alone.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import framefind

ROOT = Path(framefind.__file__).parent
MAX_LINES = 400

ORDER = (
    "cli",
    "mcp",
    "server",
    "spark",
    "library",
    "output",
    "evaluation",
    "contents",
    "status",
    "forgetting",
    "indexing",
    "words",
    "search",
    "index",
    "tables",
    "models",
    "video",
    "files",
    "types",
    "reports",
    "times",
    "arguments",
    "counts",
    "processes",
    "telemetry",
    "errors",
)
"""The parts of the package from top to bottom: each imports only itself and those below it."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in SOURCES.items()}


def imports(name: str) -> Iterator[tuple[str, str]]:
    """Yield the modules of framefind that a module imports, with the name that it gives them."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in SOURCES:
                    yield alias.name, alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports by a relative name"
            for alias in node.names:
                imported = f"{node.module}.{alias.name}"
                if imported in SOURCES:
                    yield imported, alias.asname or alias.name
                elif node.module in SOURCES:
                    yield node.module, ""


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "framefind"])
def test_imports_run_down(name: str) -> None:
    own = ORDER.index(part_of(name))
    for imported, _ in imports(name):
        part = part_of(imported)
        assert not part or ORDER.index(part) >= own, f"{name} imports {imported}, which lies above"


def test_no_circle() -> None:
    graph = {
        name: {imported for imported, _ in imports(name)} - {name, "framefind"}
        for name in SOURCES
        if name != "framefind"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("name", [name for name in SOURCES if SOURCES[name].stem == "__init__"])
def test_a_package_only_names_what_is_in_it(name: str) -> None:
    if name == "framefind":  # it imports its public names when they are used
        return
    for node in TREES[name].body:
        described = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        listed = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        imported = isinstance(node, (ast.Import, ast.ImportFrom))
        assert described or listed or imported, f"{name}: line {node.lineno} does something"


def test_every_module_fits_in_a_head() -> None:
    lines = {name: path.read_text("utf-8").count("\n") for name, path in SOURCES.items()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("name", SOURCES)
def test_private_names_stay_in_their_module(name: str) -> None:
    modules = {given: imported for imported, given in imports(name) if given}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("framefind"):
            private = [alias.name for alias in node.names if is_private(alias.name)]
            assert not private, f"{name} imports {private} of {node.module}"
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = ast.unparse(node.value)
            assert owner not in modules, f"{name} uses {owner}.{node.attr}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
