"""Send a file, or a part of it: byte ranges and conditions (RFC 9110)."""

import re
from collections.abc import AsyncGenerator
from email.utils import formatdate

import anyio
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response

from framefind.files.objects import is_remote, open_object
from framefind.server.conditions import allows_range, is_unmodified
from framefind.server.playback.media_file import MediaFile
from framefind.server.problems import problem
from framefind.server.streaming import GeneratorResponse

# Not Starlette's FileResponse: it sends local files only, and answers 400 to ranges that RFC 9110
# lets a server ignore (other units, an end before the start).
_CHUNK_BYTES = 2**18
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII)


class UnsatisfiableError(ValueError):
    """A range that begins after the end of the file."""


def parse_range(header: str, size: int) -> range | None:
    """Return the bytes that a Range header asks for.

    None if the whole file is to be sent instead: for another unit, several ranges, or nonsense.
    Raises UnsatisfiableError.
    """
    match = _RANGE.fullmatch(header)
    if not match or match[1] == match[2] == "":
        return None
    if not match[1]:
        first = max(0, size - int(match[2]))
        last = size - 1
    else:
        first = int(match[1])
        last = min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or (not match[1] and not int(match[2])):
        raise UnsatisfiableError
    return range(first, last + 1)


def send_file(file: MediaFile, etag: str, request_headers: Headers, media_type: str) -> Response:
    """Return the response to a GET or HEAD of a file: 200, 206, 304 or 416."""
    modified = file.modified / 1e9
    headers = {
        "ETag": etag,
        "Last-Modified": formatdate(modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    if is_unmodified(request_headers, etag, modified):
        return Response(status_code=304, headers=headers)
    part = range(file.size)
    status = 200
    if "range" in request_headers and allows_range(request_headers, etag, headers["Last-Modified"]):
        try:
            selected = parse_range(request_headers["range"], file.size)
        except UnsatisfiableError:
            return problem(416, headers=headers | {"Content-Range": f"bytes */{file.size}"})
        if selected is not None:
            part = selected
            status = 206
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    headers["Content-Length"] = str(len(part))
    read = read_object if is_remote(file.path) else read_file
    return GeneratorResponse(read(file.path, part), status, headers, media_type)


async def read_object(uri: str, part: range) -> AsyncGenerator[bytes, None]:
    """Yield those bytes of an object in a store, in chunks."""
    reader = await to_thread.run_sync(open_object, uri)
    for offset in range(part.start, part.stop, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, part.stop - offset)
        yield await to_thread.run_sync(reader.at, offset, size)


async def read_file(path: str, part: range) -> AsyncGenerator[bytes, None]:
    """Yield those bytes of a local file, in chunks."""
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(part.start)
        remaining = len(part)
        while remaining and (chunk := await file.read(min(_CHUNK_BYTES, remaining))):
            remaining -= len(chunk)
            yield chunk
