"""Work: the jobs that a collection opened for writing can do, and who asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from crossmodal.errors import CrossmodalError
from index.add import add_to
from index.collection import Collection
from index.jobs.orders import Order, OrderWatch
from index.jobs.queue import Jobs, Work
from index.jobs.reasons import reason, without_paths
from index.jobs.task import Task
from index.sources.sourcing import EVERY_SPLIT
from index.storage.job import Job
from index.versions.beside import beside_id
from index.versions.changing import MODEL, discard, give_up, reembed, switch

COMPACT, ADD = "compact", "add"
REEMBED, SWITCH, DISCARD = "reembed", "switch", "discard"
SKIPS_TOLD = 20
_POLL_S = 0.1
Result = TypeVar("Result")


class CollectionJobs(Jobs):
    """The jobs of a collection; those are done first that had not ended.

    Whoever serves the collection makes this once, and closes it before the collection.
    """

    def __init__(
        self,
        collection: Collection,
        serve: Callable[[Collection], None] = lambda changed: None,
    ) -> None:
        """Start doing jobs, and taking up orders.

        Args:
            collection: What is served.
            serve: Takes what is to be served in its place, after a change of the model.

        Raises:
            CollectionError: If the collection is closed or was opened for reading.
        """
        self._collection = collection
        self._serve = serve
        super().__init__(
            collection.stored_jobs(),
            {
                COMPACT: Work(do=lambda task: _compact(self._collection, task)),
                ADD: Work(do=lambda task: _add(self._collection, task)),
                REEMBED: Work(
                    do=lambda task: reembed(self._collection, task),
                    undo=lambda: give_up(self._collection),
                ),
                SWITCH: Work(do=lambda task: switch(self._collection, task, self._pass_on)),
                DISCARD: Work(do=lambda task: discard(self._collection, task)),
            },
            collection.keep_job,
            places=[collection.directory],
            reached=collection.reached,
        )
        self._watch = OrderWatch(collection.directory, self._take, collection.reached)

    def start(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        job_id: str | None = None,
    ) -> Job:
        """Ask for work as `Jobs.start` does.

        Work with the bundle beside is told which that is: done again after a crash, it
        must not take the bundle that lies there since for the one that was meant.
        """
        params = dict(params or {})
        if kind in (REEMBED, SWITCH, DISCARD) and MODEL not in params:
            params[MODEL] = beside_id(self._collection.directory)
        return super().start(kind, params, job_id=job_id)

    def close(self) -> None:
        """Take up no more orders, and stop as `Jobs.close` does."""
        self._watch.close()
        super().close()

    def _pass_on(self, changed: Collection) -> None:
        self._collection = changed
        self._serve(changed)

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
