"""The docs and the public docstrings use the words of `docs/glossary.md`."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
PAGES = [*sorted(ROOT.glob("docs/*.md")), *ROOT.glob("[CR]*.md")]
MODULES = ("framefind", "framefind.errors", "framefind.models", "framefind.spark")

REPLACED = {
    "anew": "again",
    "towers?": "encoder",
    "passed over": "skipped",
    "gone through": "read",
    "likest": "most similar",
    "shelf": "state",
    "by picture": "by image",
    "query pictures?": "query image",
    "pictures? as (a )?quer(y|ies)": "query image",
    "pieces? of (a )?videos?": "span",
    "parts of (a )?long videos?": "spans",
}
"""Former words, as patterns, and what the glossary says instead."""


def public_docstrings() -> Iterator[tuple[str, str]]:
    """Yield the docstrings of public names and of their public methods, each after its name."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", [name for name in vars(module) if name[0] != "_"]):
            value = getattr(module, name)
            yield f"{module_name}.{name}", value.__doc__ or ""
            for method, member in vars(value).items() if inspect.isclass(value) else ():
                if method[0] != "_":
                    yield f"{module_name}.{name}.{method}", inspect.getdoc(member) or ""


@pytest.mark.parametrize("former", REPLACED)
def test_former_words_are_gone(former: str) -> None:
    pattern = re.compile(rf"\b{former}\b", re.IGNORECASE)
    texts = [*((page.name, page.read_text("utf-8")) for page in PAGES), *public_docstrings()]
    using = [name for name, text in texts if pattern.search(" ".join(text.split()))]
    assert using == [], f"write {REPLACED[former]!r} in {', '.join(using)}"


def test_every_word_of_the_glossary_is_used() -> None:
    words = re.findall(r"^\| ([a-zA-Z -]+) \|", GLOSSARY, re.MULTILINE)
    others = " ".join(page.read_text("utf-8") for page in PAGES if page.name != "glossary.md")
    text = f"{others} {' '.join(text for _, text in public_docstrings())}".lower()
    assert len(words) > 30
    assert [word for word in words if word != "word" and word.lower() not in text] == []
