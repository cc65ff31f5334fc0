"""The API reference is built from the docstrings and names everything that is public."""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

import framefind
import framefind.errors

sys.path.append(str(Path(__file__).parents[1] / "docs"))

import build_api


def public_names(module: ModuleType) -> list[str]:
    """Return the names of `__all__`, or the exceptions that the module defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [name for name, value in vars(module).items() if inspect.isclass(value)]


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


def test_every_public_exception_is_listed() -> None:
    errors = public_names(framefind.errors)
    assert {name for name in framefind.__all__ if name.endswith("Error")} <= {*errors}
    for name in errors:
        assert issubclass(getattr(framefind.errors, name), framefind.FramefindError), name
