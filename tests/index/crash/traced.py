"""A short run of writes and a compaction in a data directory, for strace to look at."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from index.collection import Collection
from index.operations import Delete, Operation, Receipt
from tests.index.crash.workload import operation_of

if __name__ == "__main__":
    data = Path(sys.argv[1])
    acknowledgments = os.open(data.parent / "acknowledgments", os.O_WRONLY | os.O_CREAT)
    source = data.parent / "source"
    source.mkdir()

    told = threading.Semaphore(0)

    def tell(_: Future[Receipt]) -> None:
        os.write(acknowledgments, b"acknowledged\n")
        told.release()

    def write(collection: Collection, operation: Operation) -> None:
        """Return once it was told: what a next write stages is not of this one."""
        collection.submit(operation).add_done_callback(tell)
        told.acquire()

    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        for version in range(1, 9):
            write(collection, operation_of(f"i{version % 5}", version, source))
        write(collection, Delete(ids=["i3", "clip04"]))
        collection.compact()
        write(collection, operation_of("last", 1, source))
