"""Telemetry: what the service counts and times, in Prometheus' terms."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from service.problems import STATUS

QUERY_STAGES = ("decode", "features", "encode")
STAGES = (*QUERY_STAGES, "search", "store")
_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
)


class Telemetry:
    """The metrics of one application; each has its own registry."""

    def __init__(self) -> None:
        """Create every metric at zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "earshot_requests",
            "Requests answered, by route template and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "earshot_request_seconds",
            "Seconds from the request's headers to the end of the reply.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._problems = Counter(
            "earshot_problems",
            "Requests, and searches of batches, that ended in an error, by its code.",
            ["code"],
            registry=self.registry,
        )
        stages = Histogram(
            "earshot_stage_seconds",
            "Seconds per stage of a query, and of reading or writing stored items.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        # looking a labelled metric up costs as much as observing it
        self._request = lru_cache(maxsize=1024)(self._requests.labels)
        self._duration = lru_cache(maxsize=256)(self._seconds.labels)
        self._problem = {code: self._problems.labels(code) for code in STATUS}
        self._stage = {name: stages.labels(name) for name in STAGES}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time one request."""
        self._request(method, route, str(status)).inc()
        self._duration(route).observe(seconds)

    def problem(self, code: str) -> None:
        """Count one error told to a client."""
        self._problem[code].inc()

    def stages(self, took_ms: Mapping[str, float]) -> None:
        """Time the stages of one query; those that did not run are left out."""
        for name, milliseconds in took_ms.items():
            if milliseconds and name in self._stage:
                self._stage[name].observe(milliseconds / 1e3)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time what is done inside as one run of a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage[stage].observe(time.perf_counter() - started)

    def render(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self.registry)
