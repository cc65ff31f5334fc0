"""Counters and histograms, in Prometheus' text format (version 0.0.4)."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
Gauge = Callable[[], float]


class Metrics:
    """Counts requests by route and status, and measures how long their answers take to begin."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._gauges: dict[str, tuple[str, Gauge]] = {}

    def gauge(self, name: str, meaning: str, value: Gauge) -> None:
        """Report what `value` gives, whenever the metrics are read."""
        self._gauges[name] = (meaning, value)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note one answer."""
        bucket = sum(seconds > bound for bound in _BOUNDS)
        with self._lock:
            self._requests[route, method, status] += 1
            self._buckets[route][bucket] += 1
            self._seconds[route] += seconds

    def lines(self) -> Iterator[str]:
        """The exposition, line by line."""
        with self._lock:
            requests = sorted(self._requests.items())
            buckets = sorted((route, list(counts)) for route, counts in self._buckets.items())
            seconds = dict(self._seconds)
        yield "# HELP framefind_requests_total Answered requests."
        yield "# TYPE framefind_requests_total counter"
        for (route, method, status), count in requests:
            labels = f'route="{route}",method="{method}",status="{status}"'
            yield f"framefind_requests_total{{{labels}}} {count}"
        name = "framefind_request_seconds"
        yield f"# HELP {name} Time until an answer begins."
        yield f"# TYPE {name} histogram"
        for route, counts in buckets:
            total = 0
            for bound, count in zip((*_BOUNDS, "+Inf"), counts, strict=True):
                total += count
                yield f'{name}_bucket{{route="{route}",le="{bound}"}} {total}'
            yield f'{name}_sum{{route="{route}"}} {seconds[route]:.6f}'
            yield f'{name}_count{{route="{route}"}} {total}'
        for gauge, (meaning, value) in self._gauges.items():
            yield f"# HELP {gauge} {meaning}"
            yield f"# TYPE {gauge} gauge"
            yield f"{gauge} {value():g}"


class RequestMeter:
    """ASGI middleware: tells `Metrics` of every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", None) or "other"
                method = scope["method"] if scope["method"] in _METHODS else "other"
                seconds = time.perf_counter() - began
                self._metrics.count(route, method, message["status"], seconds)
            await send(message)

        return await self._app(scope, receive, counted)


_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"}
