"""JSON: one document of the schema `framefind/v1` for a page of results."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from framefind.errors import UsageError
from framefind.output.printable import printable_json
from framefind.types import Match, Moment, Page, Then, VideoMoments

SCHEMA = "framefind/v1"
_NUMBERS = ("start", "end", "t", "score", "confidence")


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
        document["videos"] = [describe(video) for video in page.videos]
    else:
        document["moments"] = [describe(moment) for moment in page.moments]
    return {key: to_json(value) for key, value in document.items()}


def describe(result: Moment | VideoMoments) -> dict[str, Any]:
    """Return the members of a moment, or of a video with its moments, for `to_json`."""
    if isinstance(result, Moment):
        return asdict(result) | {"certainty": result.certainty}
    return asdict(result) | {"moments": [describe(moment) for moment in result.moments]}


def to_json(value: Any) -> Any:
    """Return a value with NumPy's numbers and arrays and all tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: to_json(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(member) for member in value]
    return value.tolist() if hasattr(value, "tolist") else value


def read_moments(text: str) -> list[Moment]:
    """Return the moments of a JSON document of ours, or of NDJSON, in their order.

    Raises UsageError for anything else.
    """
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [_parse_line(line) for line in text.split("\n") if line.strip()]
    return [_read_moment(moment) for document in documents for moment in _list_moments(document)]


def _parse_line(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise UsageError("neither JSON nor NDJSON: give what `search --json` prints") from None


def _list_moments(document: Any) -> Iterator[Any]:
    """Yield the moments of a page, of a list, or a moment by itself."""
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict) and ("moments" in document or "videos" in document):
        yield from document.get("moments", ())
        for video in document.get("videos", ()):
            yield from video["moments"]
    else:
        yield document


def _read_moment(document: Any) -> Moment:
    try:
        path = document["path"]
        video_id = document["video_id"]
        numbers = [float(document[name]) for name in _NUMBERS]
        box: Any = tuple(map(float, document["box"]))
        then = Then(**document["then"]) if document.get("then") else None
        why = tuple(
            Match(**{**match, "spans": tuple(map(tuple, match.get("spans", ())))})
            for match in document.get("why", ())
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(f"not a moment: {error!r} in {str(document)[:80]}") from None
    if not (all(map(math.isfinite, numbers)) and 0 <= numbers[0] <= numbers[1]):
        raise UsageError(f"no such span: {numbers[0]} to {numbers[1]} s of {path}")
    start, end, t, score, confidence = numbers
    return Moment(str(path), str(video_id), start, end, t, score, confidence, box, then, why)


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document."""
    text = Path(__file__).with_name("schema.json").read_text("utf-8")
    return dict(json.loads(text))
