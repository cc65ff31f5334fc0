"""Ask `framefind serve` for all that it gives of damaged videos and pictures; see fuzz.py."""

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from support.server import Server

import framefind
from framefind.types import Video

VIDEOS = 20  # of a library that are asked for

Request = tuple[str, str, dict[str, Any]]
"""Method, address and further arguments."""


def run(
    library: framefind.Library, pictures: Sequence[Path], rng: random.Random, limit: float
) -> tuple[int, dict[str, str]]:
    """Serve a library; returns how many requests were made, and what was wrong with the answers."""
    rows = library.videos()
    chosen = rng.sample(rows, min(VIDEOS, len(rows)))
    wrong: dict[str, str] = {}
    count = 0
    with Server(library.uri) as server, server.client() as client:
        for method, address, arguments in [*about(chosen, rng), *uploads(pictures)]:
            count += 1
            if fault := ask(client, method, address, arguments, limit):
                wrong[f"{method} {address}"] = f"{fault} {arguments}"[:300]
    if "Traceback" in server.log:
        wrong["log"] = server.log[server.log.index("Traceback") :][:3000]
    return count, wrong


def about(rows: Sequence[Video], rng: random.Random) -> Iterator[Request]:
    """Yield requests for each of the videos."""
    yield "GET", "/v1/search", {"params": {"q": "noise"}}
    for row in rows:
        address = f"/v1/videos/{row.video_id}"
        long = row.duration or 0.0
        t = round(rng.uniform(0, long + 1), 3)
        yield "GET", address, {}
        yield "GET", f"{address}/scores", {"params": {"q": "noise"}}
        yield "GET", f"{address}/thumbnails/0.jpg", {}
        for at in (0, t, 1e8):
            yield "GET", f"{address}/frames/{at}.jpg", {}
        yield "GET", f"{address}/stream", {"headers": {"Range": f"bytes={rng.randrange(9000)}-"}}
        yield "GET", f"{address}/stream", {"params": {"start": t, "transcode": "true"}}
        yield "GET", f"{address}/clip", {"params": {"start": min(t, long), "end": t + 2}}
        yield "GET", "/v1/search", {"params": {"image": f"{row.video_id}@{t}"}}


def uploads(pictures: Sequence[Path]) -> Iterator[Request]:
    """Yield searches by uploaded pictures."""
    for path in pictures:
        yield "POST", "/v1/search", {"files": {"image": (path.name, path.read_bytes())}}


def ask(
    client: httpx.Client, method: str, address: str, arguments: dict[str, Any], limit: float
) -> str | None:
    """Return what is wrong with the answer to a request, or None."""
    began = time.monotonic()
    try:
        answer = client.request(method, address, timeout=limit, **arguments)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if time.monotonic() - began > limit:
        return f"took longer than {limit:.0f} s"
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text}"
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400 and kind != "application/problem+json":
        return f"{answer.status_code} without a problem document: {kind}"
    return None
