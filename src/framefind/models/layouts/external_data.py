"""Weights that lie outside of an ONNX graph, because they are too large for one file."""

import json
import re
from pathlib import Path

from framefind.models.weights_hash import remember_fact

_LOCATION = re.compile(rb"\n\x08location\x12(.)", re.DOTALL)
"""The entry `location` of a tensor's external data, a StringStringEntryProto in onnx.proto.

The package onnx would read it, but it is large and needed for nothing else at run time.
"""
_MAX_GRAPH_BYTES = 1 << 25
"""A graph whose weights lie outside of it is smaller."""


def external_files(graph: Path) -> set[str]:
    """Return the names of the files that hold a graph's weights; none where the graph does."""
    if graph.stat().st_size > _MAX_GRAPH_BYTES:
        return set()
    return set(json.loads(remember_fact("external", [graph], lambda: _find_locations(graph))))


def _find_locations(graph: Path) -> str:
    """Return these names as a list in JSON."""
    content = graph.read_bytes()
    names = {
        content[match.end() : match.end() + match[1][0]].decode("utf-8", "replace")
        for match in _LOCATION.finditer(content)
    }
    return json.dumps(sorted(names))
