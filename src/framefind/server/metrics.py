"""Metrics for Prometheus: how many requests are answered, and how long their answers take."""

import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKET_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"}


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # nobody reads that series
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "framefind_requests_total",
            "Answered requests.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "framefind_request_seconds",
            "Time until an answer begins.",
            ("route",),
            buckets=_BUCKET_SECONDS,
            registry=self._registry,
        )

    def add_gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Report what `value` returns whenever the metrics are read."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def count_answer(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer, which began `seconds` after its request."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format, of `MEDIA_TYPE`."""
        return generate_latest(self._registry)


class RequestMeter:
    """ASGI middleware that counts every answer in `Metrics`."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", None) or "other"
                method = scope["method"] if scope["method"] in _METHODS else "other"
                seconds = time.perf_counter() - began
                self._metrics.count_answer(route, method, message["status"], seconds)
            await send(message)

        return await self._app(scope, receive, send_counted)
