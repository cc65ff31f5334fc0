"""Conditional requests (RFC 9110): has the client the current version of what it asks for?"""

from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers


def matches_etag(header: str, etag: str) -> bool:
    """Return whether an If-None-Match header names the ETag."""
    return any(tag.strip().removeprefix("W/") in ("*", etag) for tag in header.split(","))


def is_unmodified(headers: Headers, etag: str, modified: float) -> bool:
    """Return whether the conditions of a request allow 304. `modified`: seconds since 1970."""
    if "if-none-match" in headers:
        return matches_etag(headers["if-none-match"], etag)
    try:
        since = parsedate_to_datetime(headers["if-modified-since"])
        return int(modified) <= since.timestamp()
    except (KeyError, ValueError, OverflowError):
        return False


def allows_range(headers: Headers, etag: str, last_modified: str) -> bool:
    """Return whether an If-Range header, if any, names this version; a weak tag never does."""
    return headers.get("if-range") in (None, etag, last_modified)
