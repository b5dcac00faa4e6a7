"""A short run of writes and a compaction in a data directory, for strace to look at."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future
from pathlib import Path

from index.collection import Collection
from index.operations import Delete, Receipt
from tests.index.crash.workload import operation_of

if __name__ == "__main__":
    data = Path(sys.argv[1])
    acknowledgments = os.open(data.parent / "acknowledgments", os.O_WRONLY | os.O_CREAT)
    source = data.parent / "source"
    source.mkdir()

    def tell(_: Future[Receipt]) -> None:
        os.write(acknowledgments, b"acknowledged\n")

    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        for version in range(1, 9):
            done = collection.submit(operation_of(f"i{version % 5}", version, source))
            done.add_done_callback(tell)
            done.result()
        done = collection.submit(Delete(ids=["i3", "clip04"]))
        done.add_done_callback(tell)
        done.result()
        collection.compact()
        done = collection.submit(operation_of("last", 1, source))
        done.add_done_callback(tell)
        done.result()
