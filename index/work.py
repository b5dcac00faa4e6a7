"""Work: the jobs that a collection opened for writing can do, and who asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from crossmodal.errors import CrossmodalError
from index.add import add_to
from index.collection import Collection
from index.job import Job
from index.jobs import Jobs, Work
from index.orders import Order, OrderWatch
from index.reasons import reason, without_paths
from index.sourcing import EVERY_SPLIT
from index.task import Task

COMPACT, ADD = "compact", "add"
SKIPS_TOLD = 20
_POLL_S = 0.1
Result = TypeVar("Result")


class CollectionJobs(Jobs):
    """The jobs of a collection; those are done first that had not ended.

    Whoever serves the collection makes this once, and closes it before the collection.
    """

    def __init__(self, collection: Collection) -> None:
        """Start doing jobs, and taking up orders.

        Raises:
            CollectionError: If the collection is closed or was opened for reading.
        """
        super().__init__(
            collection.stored_jobs(),
            {
                COMPACT: Work(do=lambda task: _compact(collection, task)),
                ADD: Work(do=lambda task: _add(collection, task)),
            },
            collection.keep_job,
            places=[collection.directory],
        )
        self._watch = OrderWatch(collection.directory, self._take)

    def close(self) -> None:
        """Take up no more orders, and stop as `Jobs.close` does."""
        self._watch.close()
        super().close()

    def _take(self, order: Order) -> Job:
        return self.start(order.kind, order.params, job_id=order.id)


def add_params(
    source: Path,
    *,
    features: Path | None = None,
    split: str = EVERY_SPLIT,
    workers: int | None = None,
    keep_media: bool = True,
    replace: bool = False,
) -> dict[str, Any]:
    """Return what a job that adds a source is told; the arguments are those of `add`."""
    return {
        "source": str(source.absolute()),
        "features": features and str(features.absolute()),
        "split": split,
        "workers": workers or 1,
        "keep_media": keep_media,
        "replace": replace,
    }


def _add(collection: Collection, task: Task) -> Mapping[str, Any]:
    params = dict(task.params)
    source = Path(params.pop("source"))
    features = params.pop("features")
    places = [collection.directory, source]
    try:
        report = add_to(
            collection,
            source,
            features=Path(features) if features else None,
            progress=task.progress,
            **params,
        )
    except CrossmodalError as error:
        raise type(error)(reason(error, places)) from error
    skipped = [
        skip._replace(reason=without_paths(skip.reason, places))._asdict()
        for skip in report.skipped[:SKIPS_TOLD]
    ]
    return asdict(report) | {"skipped": skipped, "left_out": len(report.skipped)}


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
