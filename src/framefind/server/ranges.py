"""Sending a file, or a part of it: byte ranges and conditions (RFC 9110)."""

import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate, parsedate_to_datetime

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from framefind.server.problems import problem

_CHUNK = 2**18
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII)


class UnsatisfiableError(ValueError):
    """A range that begins behind the end."""


def parse_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for; None if it asks for what we send whole instead.

    That is another unit, several ranges, or nonsense. Raises UnsatisfiableError.
    """
    match = _RANGE.fullmatch(header)
    if not match or match[1] == match[2] == "":
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or (not match[1] and not int(match[2])):
        raise UnsatisfiableError
    return range(first, last + 1)


def matches(tags: str, etag: str) -> bool:
    """Whether an If-None-Match header names the tag."""
    return any(tag.strip().removeprefix("W/") in ("*", etag) for tag in tags.split(","))


def send_file(
    path: str, facts: os.stat_result, etag: str, headers: Headers, media_type: str
) -> Response:
    """The answer to a GET or HEAD of a file: 200, 206, 304 or 416."""
    known = {
        "ETag": etag,
        "Last-Modified": formatdate(facts.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    if _unchanged(headers, etag, facts.st_mtime):
        return Response(status_code=304, headers=known)
    part, status = range(facts.st_size), 200
    if "range" in headers and _still(headers.get("if-range"), etag, known["Last-Modified"]):
        try:
            asked = parse_range(headers["range"], facts.st_size)
        except UnsatisfiableError:
            return problem(416, headers=known | {"Content-Range": f"bytes */{facts.st_size}"})
        if asked is not None:
            part, status = asked, 206
            known["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{facts.st_size}"
    known["Content-Length"] = str(len(part))
    return StreamingResponse(read(path, part), status, known, media_type)


def _unchanged(headers: Headers, etag: str, modified: float) -> bool:
    if "if-none-match" in headers:
        return matches(headers["if-none-match"], etag)
    try:
        return int(modified) <= parsedate_to_datetime(headers["if-modified-since"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return False


def _still(condition: str | None, etag: str, modified: str) -> bool:
    """Whether the file is what an If-Range header means; a weak tag never is."""
    return condition is None or condition in (etag, modified)


async def read(path: str, part: range) -> AsyncIterator[bytes]:
    """Those bytes of a file, in chunks."""
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(part.start)
        left = len(part)
        while left and (chunk := await file.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
