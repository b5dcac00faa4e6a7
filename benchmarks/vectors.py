"""`vector` search over HTTP at 100,000 items of 128 dimensions.

A separate process sends prebuilt requests over keep-alive connections, each connection
asking again as soon as it was answered. Beside it stands the same index called in this
process, one query at a time.
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.server import serving
from benchmarks.vector_collection import vector_collection
from crossmodal.modality import Modality
from index.collection import Collection

ITEMS, DIM, K = 100_000, 128, 10
CONNECTIONS = (1, 8, 32)
SECONDS = 5.0
QUERIES = 200


def main() -> None:
    """Print requests per second and latencies for each number of connections."""
    rng = np.random.default_rng(1)
    queries = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    result: dict[str, float] = {"items": ITEMS, "dim": DIM}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        print(f"building {ITEMS} items", file=sys.stderr)
        vector_collection(data, items=ITEMS, dim=DIM)
        result["in_process_requests_per_s"] = in_process(data, queries)
        started = time.monotonic()
        with serving(data) as port:
            result["start_to_ready_s"] = time.monotonic() - started
            for connections in CONNECTIONS:
                measured = from_another_process(port, queries, connections)
                for name, value in measured.items():
                    result[f"c{connections}_{name}"] = value
    print(json.dumps(result))


def in_process(data: Path, queries: np.ndarray) -> float:
    """Return searches per second of the collection's own view, one thread."""
    collection = Collection.open(data)
    try:
        view = collection.view
        for query in queries[:20]:
            view.search(Modality.VISUAL, query[None, :], K)
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS / 2:
            query = queries[count % len(queries)]
            view.search(Modality.VISUAL, query[None, :], K)
            count += 1
        return count / (time.perf_counter() - started)
    finally:
        collection.close()


def from_another_process(
    port: int, queries: np.ndarray, connections: int
) -> dict[str, float]:
    """Run the load generator in its own process and return its figures."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(generate, (port, queries, connections))


def generate(port: int, queries: np.ndarray, connections: int) -> dict[str, float]:
    """Send requests for a few seconds and return rate and latencies in ms."""
    requests = [_request(query) for query in queries]
    latencies = asyncio.run(_drive(port, requests, connections))
    ordered = sorted(latencies)
    return {
        "requests_per_s": len(ordered) / SECONDS,
        "p50_ms": 1e3 * statistics.median(ordered),
        "p99_ms": 1e3 * ordered[int(0.99 * (len(ordered) - 1))],
    }


def _request(query: np.ndarray) -> bytes:
    body = json.dumps({"vector": [float(x) for x in query], "k": K}).encode()
    head = (
        "POST /search/audio2visual HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _drive(port: int, requests: list[bytes], connections: int) -> list[float]:
    end = time.perf_counter() + SECONDS
    workers = [_connection(port, requests, first, end) for first in range(connections)]
    return [latency for part in await asyncio.gather(*workers) for latency in part]


async def _connection(
    port: int, requests: list[bytes], first: int, end: float
) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies = []
    number = first
    while (started := time.perf_counter()) < end:
        writer.write(requests[number % len(requests)])
        number += 7
        status = await reader.readline()
        length = 0
        while (line := await reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
        if not status.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the service answered {status!r}")
        latencies.append(time.perf_counter() - started)
    writer.close()
    return latencies


if __name__ == "__main__":
    main()
