"""Adds some of a source, as a job of a service or by itself, then stands still."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from index import add as adding
from index.collection import Collection
from index.work import ADD, CollectionJobs, add_params
from index.writing.operations import Receipt

if __name__ == "__main__":
    data, source, hold, stored, how = sys.argv[1:]
    submit = adding._submit
    acknowledged = 0

    def then_stall(collection: Collection, *given: Any, **named: Any) -> Future[Receipt]:
        """Submit, and say so and stand still when so many are durable."""
        global acknowledged
        done = submit(collection, *given, **named)
        done.result()
        acknowledged += 1
        if acknowledged == int(stored):
            Path(hold).touch()
            threading.Event().wait()
        return done

    adding._submit = then_stall
    if how == "alone":
        adding.add(Path(data), Path(source), workers=1)
    jobs = CollectionJobs(Collection.open(Path(data), write=True, reserve_bytes=0))
    jobs.start(ADD, add_params(Path(source)))
    threading.Event().wait()
