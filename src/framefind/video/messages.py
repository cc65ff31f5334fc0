"""Messages between a process that decodes and its parent.

The parent writes one JSON line per request to the stdin of the child (`python -m
framefind.video.process_main`). The child answers on its stdout with messages: the length of a JSON
header (4 bytes, big endian), the header, then the raw bytes it announces. A pipe needs no cleaning
up when either side is killed, and it holds a child back that decodes faster than the parent reads.
"""

import json
import struct
from typing import Any

HEADER_LENGTH = struct.Struct(">I")
"""What stands before a header: its length in bytes."""


def encode_header(header: dict[str, Any]) -> bytes:
    """Return a header as JSON, after its length; an empty one is a sign of life."""
    text = json.dumps(header).encode()
    return HEADER_LENGTH.pack(len(text)) + text
