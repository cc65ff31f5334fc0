"""NDJSON: one JSON object a line for each moment, or for each video if they were asked for."""

import json
from collections.abc import Iterator
from typing import Any

from framefind.output.json import describe, to_json
from framefind.types import Page


def write(page: Page, query: dict[str, Any]) -> Iterator[str]:
    """Yield a line of ASCII for each result, with the members that it has in the JSON document."""
    results = page.moments if page.videos is None else page.videos
    return (json.dumps(to_json(describe(result))) for result in results)
