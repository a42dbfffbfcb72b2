"""What happens, counted, in the text format that Prometheus reads (version 0.0.4)."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64)
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")


class Histogram:
    """Counts of values up to each bound.

    Parameters
    ----------
    bounds : ascending; a value counts for the first that is not below it.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Its samples, whose counts are cumulative."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """Counters of requests, predictions and batches, since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._predictions: Counter[str] = Counter()
        self._seconds, self._sizes = Histogram(SECONDS), Histogram(SIZES)

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered; it took so long from its first byte on."""
        with self._lock:
            self._requests[path, method, status] += 1
            self._seconds.add(seconds)

    def batch(self, size: int) -> None:
        """Count items that the model was asked about together."""
        with self._lock:
            self._sizes.add(size)

    def prediction(self, outcome: str) -> None:
        """Count what came of an item: predicted, nothing (to predict by) or failed."""
        with self._lock:
            self._predictions[outcome] += 1

    def text(self) -> str:
        """All of them."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _heading("requests_total", "counter", "Requests, by the status of the response.")
        for (path, method, status), count in sorted(self._requests.items()):
            labels = f'path="{path}",method="{method}",status="{status}"'
            yield f"modalgrid_requests_total{{{labels}}} {count}"
        yield from _heading("predictions_total", "counter", "Items, by what came of them.")
        for outcome, count in sorted(self._predictions.items()):
            yield f'modalgrid_predictions_total{{outcome="{outcome}"}} {count}'
        yield from _heading("batch_items", "histogram", "Items that were predicted together.")
        yield from self._sizes.lines("modalgrid_batch_items")
        yield from _heading("request_seconds", "histogram", "From a request to its response.")
        yield from self._seconds.lines("modalgrid_request_seconds")


def _heading(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP modalgrid_{name} {words}"
    yield f"# TYPE modalgrid_{name} {kind}"


class Measured:
    """Counts the requests of an app.

    Parameters
    ----------
    paths : those that are counted by name. Clients choose paths and methods: all others are
        counted together, or there would be ever more counters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.request(path, method, status, time.perf_counter() - begun)
