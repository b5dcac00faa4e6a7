"""Telemetry: what the service counts and times, in Prometheus' terms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

QUERY_STAGES = ("decode", "features", "encode")
STAGES = (*QUERY_STAGES, "search")
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
        self._stages = Histogram(
            "earshot_stage_seconds",
            "Seconds per stage of a query.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._vectors = self._gauge("earshot_index_vectors", "Vectors served.", "modality")
        self._seq = self._gauge("earshot_view_seq", "Sequence number of the view served.")
        self._places = self._gauge("earshot_places", "Places of a queue.", "queue")
        self._taken = self._gauge("earshot_places_taken", "Places taken.", "queue")
        self._ready = self._gauge("earshot_ready", "1 if /readyz answers 200.")
        # looking a labelled metric up costs as much as observing it
        self._request = lru_cache(maxsize=1024)(self._requests.labels)
        self._duration = lru_cache(maxsize=256)(self._seconds.labels)
        self._stage = {name: self._stages.labels(name) for name in STAGES}

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time one request."""
        self._request(method, route, str(status)).inc()
        self._duration(route).observe(seconds)

    def stages(self, took_ms: Mapping[str, float]) -> None:
        """Time the stages of one query; those that did not run are left out."""
        for name, milliseconds in took_ms.items():
            if milliseconds and name in self._stage:
                self._stage[name].observe(milliseconds / 1e3)

    def set_view(self, seq: int, sizes: Mapping[str, int]) -> None:
        """Say which view is served."""
        self._seq.set(seq)
        for modality, size in sizes.items():
            self._vectors.labels(modality).set(size)

    def set_places(self, queue: str, places: int, taken: int) -> None:
        """Say how full a queue is."""
        self._places.labels(queue).set(places)
        self._taken.labels(queue).set(taken)

    def set_ready(self, ready: bool) -> None:
        """Say whether the service is ready."""
        self._ready.set(ready)

    def render(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self.registry)
