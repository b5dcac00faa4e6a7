"""What the service is measured beside: bare routes, and the same index without HTTP."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load.scale import GALLERY, K, Scale, Vectors
from benchmarks.load.target import Target, route_requests, route_rows
from benchmarks.server import running
from index.collection import Collection
from service.threads import THREAD_VARIABLES


@contextmanager
def route(kind: str, data: Path, queries: np.ndarray) -> Iterator[Target]:
    """Serve a route of `benchmarks.load.routes`, with the service's thread settings."""

    def command(port: int) -> list[str]:
        module = "benchmarks.load.routes"
        return [sys.executable, "-m", module, kind, str(port), str(data)]

    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    with running(command, environment) as server:
        yield Target(server.port, route_requests(queries), route_rows)


def in_process(data: Path, vectors: Vectors, scale: Scale) -> dict[str, Any]:
    """Return searches per second of one thread of this process, one query at a time.

    ``index`` is the base alone, in the type and the settings it is stored with;
    ``ranked_items`` is the view's search, whose hits the service answers with.
    """
    with Collection.open(data) as collection:
        view = collection.view
        base = view.shelves[GALLERY][0].gallery
        queries = vectors.queries
        (hits, _) = view.search(GALLERY, queries[:2], K)
        if len(hits) != K:
            raise RuntimeError(f"expected {K} hits, got {len(hits)}")
        return {
            "kind": base.kind,
            "index_per_s": _rate(lambda query: base.search(query, K), queries, scale),
            "ranked_items_per_s": _rate(
                lambda query: view.search(GALLERY, query, K), queries, scale
            ),
        }


def _rate(
    search: Callable[[np.ndarray], object], queries: np.ndarray, scale: Scale
) -> float:
    for query in queries[:20]:
        search(query[None])
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < scale.seconds:
        search(queries[count % len(queries)][None])
        count += 1
    return round(count / elapsed, 1)
