"""The API reference is built from the docstrings and names everything that is public."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import framefind
import framefind.errors

sys.path.append(str(Path(__file__).parents[1] / "docs"))

import build_api

PACKAGE = Path(framefind.__file__).parent


def public_names(module: ModuleType) -> list[str]:
    """Return the names of `__all__`, or the exceptions that the module defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [name for name, value in vars(module).items() if inspect.isclass(value)]


def public_functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the public functions of a module, and the methods and properties of its classes."""
    for name in public_names(module):
        value = getattr(module, name)
        members = inspect.getmembers(value) if inspect.isclass(value) else []
        for own, member in [(name, value), *((f"{name}.{own}", found) for own, found in members)]:
            function = member.fget if isinstance(member, property) else member
            if inspect.isfunction(function) and not own.rpartition(".")[2].startswith("_"):
                yield own, function


def defined_classes() -> set[str]:
    """Return the names of all classes of the package, private ones too."""
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    build_api.build(folder)
    return folder


@pytest.mark.parametrize("module_name", build_api.MODULES)
def test_every_public_name_is_described(module_name: str, reference: Path) -> None:
    page = (reference / f"{module_name.replace('.', '/')}.html").read_text("utf-8")
    module = importlib.import_module(module_name)
    names = public_names(module)
    assert names
    for name in names:
        docstring = getattr(module, name).__doc__ or ""
        written = docstring and not docstring.startswith(f"{name}(")  # as dataclasses get
        assert written, f"{module_name}.{name} has no docstring"
        assert f'<section id="{name}">' in page, f"{module_name}.{name} is missing"


@pytest.mark.parametrize("module_name", build_api.MODULES)
def test_every_public_method_has_a_docstring(module_name: str) -> None:
    module = importlib.import_module(module_name)
    for name in public_names(module):
        value = getattr(module, name)
        if not inspect.isclass(value):
            continue
        for method, function in inspect.getmembers(value, inspect.isfunction):
            if not method.startswith("_"):
                assert inspect.getdoc(function), f"{module_name}.{name}.{method}"


def test_what_public_functions_return_is_public() -> None:
    modules = [importlib.import_module(name) for name in build_api.MODULES]
    private = defined_classes() - {name for module in modules for name in public_names(module)}
    functions = [found for module in modules for found in public_functions(module)]
    assert {"Library.words", "Library.plan", "Library.exists", "export"} <= {*dict(functions)}
    returned = {}
    for name, function in functions:
        annotation = inspect.formatannotation(function.__annotations__["return"])
        returned[name] = private.intersection(re.findall(r"\w+", annotation))
    assert {name: types for name, types in returned.items() if types} == {}


def test_every_public_exception_is_listed() -> None:
    errors = public_names(framefind.errors)
    modules = [importlib.import_module(name) for name in build_api.MODULES]
    public = {name for module in modules for name in public_names(module)}
    assert {name for name in public if name.endswith("Error")} == {*errors, "SparkError"}
    for name in errors:
        assert issubclass(getattr(framefind.errors, name), framefind.FramefindError), name
