"""Sending a file, or a part of it: byte ranges and conditions (RFC 9110)."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

import anyio
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response

from framefind.files.objects import is_remote, open_object
from framefind.server.problems import problem
from framefind.server.streaming import GeneratorResponse

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


@dataclass(frozen=True)
class Found:
    """A file that is there: `size` in bytes, `modified` in nanoseconds since 1970."""

    path: str
    size: int
    modified: int


def send_file(file: Found, etag: str, headers: Headers, media_type: str) -> Response:
    """The answer to a GET or HEAD of a file: 200, 206, 304 or 416."""
    modified = file.modified / 1e9
    known = {
        "ETag": etag,
        "Last-Modified": formatdate(modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    if _unchanged(headers, etag, modified):
        return Response(status_code=304, headers=known)
    part, status = range(file.size), 200
    if "range" in headers and _still(headers.get("if-range"), etag, known["Last-Modified"]):
        try:
            asked = parse_range(headers["range"], file.size)
        except UnsatisfiableError:
            return problem(416, headers=known | {"Content-Range": f"bytes */{file.size}"})
        if asked is not None:
            part, status = asked, 206
            known["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    known["Content-Length"] = str(len(part))
    chunks = _fetch(file.path, part) if is_remote(file.path) else read(file.path, part)
    return GeneratorResponse(chunks, status, known, media_type)


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


async def _fetch(uri: str, part: range) -> AsyncGenerator[bytes, None]:
    """Those bytes of an object in a store, in chunks."""
    reader = await to_thread.run_sync(open_object, uri)
    for offset in range(part.start, part.stop, _CHUNK):
        size = min(_CHUNK, part.stop - offset)
        yield await to_thread.run_sync(reader.at, offset, size)


async def read(path: str, part: range) -> AsyncGenerator[bytes, None]:
    """Those bytes of a file, in chunks."""
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(part.start)
        left = len(part)
        while left and (chunk := await file.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
