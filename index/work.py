"""Work: the kinds of jobs that a collection opened for writing can do."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from index.collection import Collection
from index.jobs import Jobs, Work
from index.task import Task

COMPACT = "compact"
_POLL_S = 0.1
Result = TypeVar("Result")


def start_jobs(collection: Collection) -> Jobs:
    """Start doing the jobs of a collection, those first that had not ended.

    Whoever serves the collection calls this once, and closes the jobs before it.

    Raises:
        CollectionError: If it is closed or was opened for reading.
    """
    kinds = {COMPACT: Work(do=lambda task: _compact(collection, task))}
    return Jobs(
        collection.stored_jobs(),
        kinds,
        collection.keep_job,
        places=[collection.directory],
    )


def _compact(collection: Collection, task: Task) -> Mapping[str, Any]:
    manifest = _awaited(collection.begin_compaction(), task)
    vectors = {str(m): base.count for m, base in manifest.bases.items()}
    return {"seq": manifest.seq, "vectors": vectors}


def _awaited(future: Future[Result], task: Task) -> Result:
    """Return a future's result, unless the job is to end before."""
    while True:
        try:
            return future.result(_POLL_S)
        except TimeoutError:
            if future.done():
                raise
            task.check()
