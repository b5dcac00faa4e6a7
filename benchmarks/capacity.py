"""What a collection takes: disk, memory, processor time and a start, by size and dimension.

The first three are counted by the operating system for the service's own process, so that
they hardly depend on what else the machine is doing; latencies are `load`'s business. A
start lasts from the process' first moment until `/readyz` answers 200, all checksums
verified; it is the median of several, the first of which is left out.
"""

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from benchmarks.clusters import Clusters
from benchmarks.server import serving
from benchmarks.vector_collection import write_collection

SIZES = ((20, 128), (10_000, 128), (10_000, 512), (100_000, 128), (100_000, 512))
SEARCHES, K = 300, 10
STARTS = 3
MIB = 2**20
NAMES = {
    "process_resident_memory_bytes": "memory",
    "process_cpu_seconds_total": "cpu_s",
}


def main() -> None:
    """Print the figures of every size."""
    result: dict[str, float] = {}
    for items, dim in SIZES:
        for name, value in measure(items, dim).items():
            result[f"{items}x{dim}_{name}"] = value
    print(json.dumps(result))


def measure(items: int, dim: int) -> dict[str, float]:
    """Return the figures of one collection with two galleries."""
    clusters = Clusters(items, dim, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        print(f"building {items} items of {dim} dimensions", file=sys.stderr)
        write_collection(data, clusters.draw(items))
        queries = clusters.queries(SEARCHES)
        disk = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        _, *starts = (seconds_to_ready(data) for _ in range(1 + STARTS))
        with serving(data) as server:
            for query in queries[:20]:
                search(server.port, query)
            before = usage(server.port)
            for query in queries:
                search(server.port, query)
            after = usage(server.port)
    return {
        "ready_s": statistics.median(starts),
        "disk_mib": disk / MIB,
        "memory_mib": after["memory"] / MIB,
        "cpu_ms_per_search": 1e3 * (after["cpu_s"] - before["cpu_s"]) / SEARCHES,
    }


def seconds_to_ready(data: Path) -> float:
    """Return how long a service takes until it answers searches."""
    began = time.perf_counter()
    with serving(data):
        return time.perf_counter() - began


def search(port: int, query: np.ndarray) -> None:
    """Search once by vector."""
    body = json.dumps({"vector": query.tolist(), "k": K}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/search/audio2visual",
        data=body,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        if len(json.load(reply)["results"]) != K:
            raise RuntimeError(f"expected {K} results")


def usage(port: int) -> dict[str, float]:
    """Return memory in bytes and processor time in seconds, as /metrics tells them."""
    time.sleep(0.2)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        lines = reply.read().decode().splitlines()
    samples = (line.split(" ") for line in lines if not line.startswith("#"))
    return {NAMES[name]: float(value) for name, value in samples if name in NAMES}


if __name__ == "__main__":
    main()
