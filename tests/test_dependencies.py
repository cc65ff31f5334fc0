"""What is imported is declared, and the lowest versions that are declared fit together."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import framefind

SOURCES = Path(framefind.__file__).parent
PROJECT = tomllib.loads((SOURCES.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
NAMES = {"PIL": "pillow", "faiss": "faiss-cpu", "open_clip": "open-clip-torch"}
"""Of modules whose distribution may not be installed here."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*, with_extras: bool = True) -> set[str]:
    extras = PROJECT["optional-dependencies"].values() if with_extras else ()
    groups = [PROJECT["dependencies"], *extras]
    return {normal(re.split(r"[\[<>=!~; ]", line)[0]) for group in groups for line in group}


PROVIDERS = packages_distributions()


def distributions(module: str) -> set[str]:
    return {normal(name) for name in PROVIDERS.get(module, [NAMES.get(module, module)])}


def imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The modules that a file imports from, each with the names that it takes."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        yield from imports_of(node)


def imports_of(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, []) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module, [alias.name for alias in node.names]


FOREIGN = [
    (path.relative_to(SOURCES).as_posix(), module, names)
    for path in sorted(SOURCES.rglob("*.py"))
    for module, names in imports(path)
    if module.split(".")[0] not in {*sys.stdlib_module_names, "framefind"}
]


def test_what_is_imported_is_declared():
    known = declared()
    for path, module, _ in FOREIGN:
        top = module.split(".")[0]
        names = distributions(top)
        assert names & known, f"{path} imports {module}: {names} is not declared"


def test_no_module_needs_an_extra_to_be_imported():
    """But for those that are all about one. Others import it inside the function that needs it."""
    without_extras = declared(with_extras=False)
    for path in sorted(
        {path for path, _, _ in FOREIGN if not path.startswith("mcp/")}
        - {"models/export_onnx.py", "models/torch.py"}
    ):
        for node in ast.parse((SOURCES / path).read_text("utf-8")).body:
            for module, _ in imports_of(node):
                top = module.split(".")[0]
                names = distributions(top)
                is_own = top in {*sys.stdlib_module_names, "framefind"}
                assert is_own or names & without_extras, f"{path} imports {module} at its top"


def test_no_private_name_of_another_package_is_imported():
    for path, module, names in FOREIGN:
        private = [name for name in [*module.split("."), *names] if name.startswith("_")]
        assert not private, f"{path} takes {private} of {module}"


# [spark] is left out: pyspark has no wheel, and its 300 MB would be downloaded to be asked.
@pytest.mark.parametrize("extra", ["", *sorted({*PROJECT["optional-dependencies"]} - {"spark"})])
def test_the_lowest_versions_can_be_installed_together(extra):
    """Exactly those, of the package and of one extra, whose bounds may be higher.

    A package index says whether they fit.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if not uv:
        pytest.skip("uv is not installed: pip install -e '.[dev]'")
    lines = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else [])]
    bounds = dict(line.split(">=") for line in lines if not line.startswith("framefind["))
    lowest = [f"{name}=={bound}" for name, bound in bounds.items()]
    command = [uv, "pip", "compile", "-q", "--python-version", "3.11", "-"]
    done = subprocess.run(command, input="\n".join(lowest), capture_output=True, text=True)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr


UNREACHABLE = re.compile(r"error sending request|dns error|failed to fetch|timed out", re.I)
