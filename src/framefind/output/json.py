"""JSON: one document of the schema `framefind/v1` for a page of results."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from framefind.output.printable import printable_json
from framefind.types import Page

SCHEMA = "framefind/v1"


def write(page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the document."""
    document = json.dumps(build_document(page, query), ensure_ascii=False, indent=2)
    yield from printable_json(document).split("\n")


def build_document(page: Page, query: dict[str, Any]) -> dict[str, Any]:
    """Return a page of results as a document of `read_schema()`; it repeats `query` as it is.

    It holds `videos` if the page was asked for by video, otherwise `moments`.
    """
    document: dict[str, Any] = {"schema": SCHEMA, "query": query}
    document |= {"offset": page.offset, "total": page.total, "complete": page.complete}
    if page.notes:
        document["notes"] = page.notes
    if page.videos is not None:
        document["videos"] = [asdict(video) for video in page.videos]
    else:
        document["moments"] = [asdict(moment) for moment in page.moments]
    return {key: to_json(value) for key, value in document.items()}


def to_json(value: Any) -> Any:
    """Return a value with NumPy's numbers and arrays and all tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: to_json(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(member) for member in value]
    return value.tolist() if hasattr(value, "tolist") else value


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document."""
    text = Path(__file__).with_name("schema.json").read_text("utf-8")
    return dict(json.loads(text))
