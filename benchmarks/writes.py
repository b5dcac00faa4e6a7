"""Writing to a collection of 20,000 items of 512 dimensions while it is searched.

Clients put items of two vectors one after the other, each waiting for its acknowledgment,
which is durable. Searches run beside them from a thread of their own. In process, without
HTTP: figures of the write path alone.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.clusters import MODALITIES
from benchmarks.vector_collection import vector_collection
from crossmodal.embeddings import normalize
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.operations import Delete, Put

ITEMS, DIM, K = 20_000, 512, 10
CLIENTS = (1, 16, 64)
SECONDS = 5.0
GALLERY = Modality.VISUAL


def main() -> None:
    """Print rates, latencies, and how long opening and compaction take."""
    result: dict[str, float] = {"items": ITEMS, "dim": DIM}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        print(f"building {ITEMS} items", file=sys.stderr)
        vector_collection(data, items=ITEMS, dim=DIM)
        with timed(result, "open_s"):
            collection = Collection.open(data, write=True)
        with collection:
            with searching(collection) as alone:
                time.sleep(SECONDS / 2)
            result["search_alone_p50_ms"] = milliseconds(alone, 0.5)
            for clients in CLIENTS:
                with searching(collection) as beside:
                    acknowledged = put_for(collection, clients, SECONDS)
                result[f"c{clients}_puts_per_s"] = len(acknowledged) / SECONDS
                result[f"c{clients}_ack_p50_ms"] = milliseconds(acknowledged, 0.5)
                result[f"c{clients}_ack_p99_ms"] = milliseconds(acknowledged, 0.99)
                result[f"c{clients}_search_p50_ms"] = milliseconds(beside, 0.5)
            result["tail"] = collection.info()["bases"][GALLERY]["tail"]
            with searching(collection) as beside, timed(result, "compact_s"):
                collection.compact()
            result["compact_search_p50_ms"] = milliseconds(beside, 0.5)
            ids = list(collection.view.items)[:1000]
            with timed(result, "delete_1000_s"):
                collection.submit(Delete(ids=ids)).result()
        with timed(result, "open_again_s"), Collection.open(data):
            pass
        (data / "index" / "CURRENT").unlink()
        with timed(result, "open_degraded_s"):
            collection = Collection.open(data, write=True)
        with collection, timed(result, "rebuild_s"):
            collection.compact()
    print(json.dumps(result))


@contextmanager
def timed(result: dict[str, float], name: str) -> Iterator[None]:
    """Keep how long something takes, in seconds."""
    started = time.perf_counter()
    yield
    result[name] = time.perf_counter() - started


def milliseconds(seconds: list[float], quantile: float) -> float:
    """Return a quantile of latencies in ms."""
    ordered = sorted(seconds)
    if quantile == 0.5:
        return 1e3 * statistics.median(ordered)
    return 1e3 * ordered[int(quantile * (len(ordered) - 1))]


@contextmanager
def searching(collection: Collection) -> Iterator[list[float]]:
    """Search meanwhile and yield the list of how long each search took."""
    queries = normalize(np.random.default_rng(1).standard_normal((100, DIM)))
    latencies: list[float] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            query = queries[len(latencies) % len(queries)][None]
            started = time.perf_counter()
            collection.view.search(GALLERY, query, K)
            latencies.append(time.perf_counter() - started)
            time.sleep(0.005)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield latencies
    finally:
        stop.set()
        thread.join()


def put_for(collection: Collection, clients: int, seconds: float) -> list[float]:
    """Put items from several clients and return how long each acknowledgment took."""
    end = time.perf_counter() + seconds
    run = f"{clients}-{time.monotonic_ns()}"

    def client(number: int) -> list[float]:
        rng = np.random.default_rng(number)
        latencies: list[float] = []
        while time.perf_counter() < end:
            vectors = [NewVector(m, rng.standard_normal(DIM)) for m in MODALITIES]
            item = NewItem(id=f"{run}-{number}-{len(latencies)}", vectors=vectors)
            started = time.perf_counter()
            collection.submit(Put(item=item)).result()
            latencies.append(time.perf_counter() - started)
        return latencies

    with ThreadPoolExecutor(clients) as pool:
        return [latency for part in pool.map(client, range(clients)) for latency in part]


if __name__ == "__main__":
    main()
