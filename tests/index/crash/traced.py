"""Writes, a compaction and a change of the model, for strace to look at."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from index.collection import Collection
from index.jobs.task import Task
from index.versions.beside import beside_id
from index.versions.changing import MODEL, switch
from index.writing.operations import Delete, Operation, Receipt
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
        with_media = [i.id for i in collection.view.items.values() if i.media_sha256]
        write(collection, Delete(ids=with_media))  # the bundles embed no media
        params = {MODEL: beside_id(data), "partial": True}
        task = Task(params=params, note=lambda *_: None, cancelled=bool, stopped=bool)
        changed: list[Collection] = []
        switch(collection, task, changed.append)
        write(changed[0], operation_of("after", 1, source))
