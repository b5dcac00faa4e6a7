"""Targets: one way to search the vectors over HTTP, and what it is measured by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.load.arrivals import poisson
from benchmarks.load.connection import Answer, Connection
from benchmarks.load.generator import Plan
from benchmarks.load.process import generate
from benchmarks.load.requests import JSON, Cycle, http_request, vector_json
from benchmarks.load.scale import K, Scale, Vectors

SHARE_OF_PEAK = 0.6
ASK_S = 60.0


@dataclass(frozen=True)
class Target:
    """A server, one request per query, and how to read the rows that an answer names."""

    port: int
    requests: Sequence[bytes]
    rows: Callable[[bytes], list[int]]


def ask(port: int, request: bytes) -> Answer:
    """Send one request on a connection of its own and wait for its answer.

    Raises:
        OSError: If none comes within a minute.
    """
    connection = Connection(port)
    try:
        connection.block(ASK_S)
        connection.send(request)
        while (answer := connection.receive()) is None:
            pass
        return answer
    finally:
        connection.close()


def found(target: Target) -> list[list[int]]:
    """Return the rows that answer each query.

    Raises:
        RuntimeError: If one is not answered with 200.
    """
    answers = [ask(target.port, request) for request in target.requests]
    for answer in answers:
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}: {answer.body[:300]!r}")
    return [target.rows(answer.body) for answer in answers]


def peak(target: Target, connections: int, seconds: float) -> dict[str, Any]:
    """Return answers per second of so many connections that ask without pause.

    Counted are the last answers, too, and the time until they came: each connection has
    one, however slow the machine.
    """
    requests = Cycle(target.requests)
    plan = Plan(
        port=target.port, request=requests, connections=connections, seconds=seconds
    )
    outcome = generate(plan)
    rate = round(outcome.answered(outcome.elapsed_s), 1)
    return {"requests_per_s": rate, **outcome.latencies(), **outcome.account()}


def at_rate(target: Target, rate: float, scale: Scale) -> dict[str, Any]:
    """Return latencies of requests that come at random times, at a rate on average."""
    seconds = 2 * scale.seconds
    plan = Plan(
        port=target.port,
        request=Cycle(target.requests),
        connections=scale.open_connections,
        seconds=seconds,
        due_s=poisson(rate, seconds, scale.seed),
    )
    outcome = generate(plan)
    return {"offered_per_s": round(rate, 1), **outcome.latencies(), **outcome.account()}


def measure(target: Target, vectors: Vectors | None, scale: Scale) -> dict[str, Any]:
    """Return a target's recall, its peaks, and its latencies at 60 % of the highest.

    Args:
        target: What to measure.
        vectors: What it holds; None for one that finds nothing.
        scale: How long, and with how many connections.

    Raises:
        RuntimeError: If it does not answer.
    """
    result: dict[str, Any] = {}
    rows = found(target)  # warms it up, too
    if vectors is not None:
        result["recall_at_10"] = round(vectors.recall(rows), 4)
    peaks = {str(n): peak(target, n, scale.seconds) for n in scale.connections}
    result["peaks"] = peaks
    result["peak_per_s"] = max(each["requests_per_s"] for each in peaks.values())
    if not result["peak_per_s"]:
        raise RuntimeError(f"no answer within {scale.seconds:g} s: {peaks}")
    result["at_60_percent"] = at_rate(target, SHARE_OF_PEAK * result["peak_per_s"], scale)
    return result


def service_requests(queries: np.ndarray) -> list[bytes]:
    """Return our service's requests, as JSON."""
    bodies = [f'{{"vector":{vector_json(query)},"k":{K}}}' for query in queries]
    return [http_request("/search/audio2visual", body.encode()) for body in bodies]


def service_rows(body: bytes) -> list[int]:
    """Return the rows that an answer of our service names."""
    hits = json.loads(body)["results"]
    return [int(hit["id"].removeprefix("item")) for hit in hits]


def route_requests(queries: np.ndarray) -> list[bytes]:
    """Return the requests of the minimal route."""
    bodies = [f'{{"vector":{vector_json(query)},"k":{K}}}' for query in queries]
    return [http_request("/search", body.encode(), kind=JSON) for body in bodies]


def route_rows(body: bytes) -> list[int]:
    """Return the rows that an answer of the minimal route names."""
    ids: list[int] = json.loads(body)["ids"]
    return ids
