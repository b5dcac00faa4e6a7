"""Following: an order handed to the process that serves a directory, until it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crossmodal.errors import CollectionError, CollectionLockedError
from index.jobs.orders import place_order, withdraw_order
from index.sources.sourcing import Progress, silent
from index.storage.database import DATABASE
from index.storage.job import Job, JobState
from index.storage.store import Store
from index.versions.here import shown

TAKEN_WITHIN_S = 60.0
PROMPT_S = 2.0  # a service looks more often than that
_LOOK_S = 0.2


def have_done(
    directory: Path,
    kind: str,
    params: Mapping[str, Any],
    *,
    progress: Progress = silent,
    waiting: Callable[[str], None] = lambda reason: None,
    taken_within_s: float = TAKEN_WITHIN_S,
) -> Mapping[str, Any]:
    """Have the process that serves a directory do a job, and return what it came to.

    The job goes on if this is interrupted.

    Args:
        directory: The data directory.
        kind: What is to be done.
        params: What the work is told.
        progress: Shows how far it is.
        waiting: Told, once, if nobody takes the order up at once.
        taken_within_s: How long to wait until somebody takes the order up.

    Raises:
        CollectionLockedError: If nobody takes it up.
        CollectionError: If the job fails or is cancelled, with the reason.
    """
    order_id = place_order(directory, kind, params)
    placed = time.monotonic()
    told = False
    while (job := _find(directory, order_id)) is None:
        waited_s = time.monotonic() - placed
        if waited_s > PROMPT_S and not told:
            waiting(
                f"waiting for a service that writes to {directory}, "
                f"{taken_within_s:.0f} s at most"
            )
            told = True
        if waited_s > taken_within_s and withdraw_order(directory, order_id):
            raise CollectionLockedError(
                f"no service that writes to {directory} took the order up; is it running, "
                "and not read-only? Without --served this command does the work itself"
            )
        time.sleep(_LOOK_S)
    with shown(progress) as note:
        while True:
            if job.total is not None:
                note(job.done, job.total)
            if job.state.ended:
                break
            time.sleep(_LOOK_S)
            job = _find(directory, order_id) or job
    if job.state is not JobState.DONE:
        raise CollectionError(f"the job {job.state}: {job.error or 'by request'}")
    return job.result or {}


def _find(directory: Path, job_id: str) -> Job | None:
    store = Store.open_beside_writer(directory / DATABASE)
    try:
        return next((job for job in store.jobs() if job.id == job_id), None)
    finally:
        store.close()
