"""Jobs: long work that is asked for, goes on in the background, and outlives a restart.

Every job is kept in the store. One that had not ended when the process did is taken up
again by the next that serves the collection, so a kind of work must go on from what it
finds, or come to the same end when it is begun anew.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from crossmodal.errors import CollectionError, ConfigError, UnknownJobError
from index.jobs.reasons import reason
from index.jobs.task import CancelledJobError, StoppedJobError, Task
from index.storage.job import Job, JobState

MOST_KEPT = 100
MOST_ATTEMPTS = 5
NOTED_S = 1.0  # between two durable notes of how far a job is
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a kind of job does.

    Attributes:
        do: Does it, and returns what it came to as JSON values.
        undo: Takes back what a job did that was cancelled.
    """

    do: Callable[[Task], Mapping[str, Any]]
    undo: Callable[[], None] = lambda: None


class Jobs:
    """The jobs of a collection, done one after the other by a thread of their own."""

    def __init__(
        self,
        known: Sequence[Job],
        kinds: Mapping[str, Work],
        keep: Callable[[Job, Sequence[str]], None],
        *,
        places: Iterable[Path] = (),
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Start the thread, with the jobs that had not ended.

        Args:
            known: What the store keeps, oldest first.
            kinds: What can be done.
            keep: Stores a job durably, in place of those of the ids given.
            places: Paths that no reason for a failure may tell.
            reached: Told of the points at which a test may end the process.
        """
        self._kinds = kinds
        self._keep = keep
        self._places = tuple(places)
        self._reached = reached
        self._jobs = {job.id: job for job in known}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for job in known:
            if not job.state.ended:
                self._queue.put(job.id)
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def start(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        job_id: str | None = None,
    ) -> Job:
        """Ask for work; a job like it that has not begun serves everyone who asked.

        Args:
            kind: What is to be done.
            params: What the work is told.
            job_id: The job's id; one that bears it already is the one asked for.

        Raises:
            ConfigError: If there is no such work.
            CollectionError: If it was closed, or the job cannot be stored.
        """
        if kind not in self._kinds and job_id is None:
            raise ConfigError(f"a job's kind must be one of {', '.join(self._kinds)}")
        params = params or {}
        with self._lock:
            if self._closed.is_set():
                raise CollectionError("the collection is closed")
            if job_id in self._jobs:
                return self._jobs[job_id]
            for job in self._jobs.values() if job_id is None else ():
                if (job.kind, job.params, job.state) == (kind, params, JobState.QUEUED):
                    return job
            job = Job(
                id=job_id or uuid4().hex,
                kind=kind,
                state=JobState.QUEUED,
                params=params,
                updated=time.time(),
            )
            ended = [old.id for old in self._jobs.values() if old.state.ended]
            forgotten = ended[: max(0, len(self._jobs) + 1 - MOST_KEPT)]
            self._keep(job, forgotten)
            for old in forgotten:
                del self._jobs[old]
            self._jobs[job.id] = job
            self._queue.put(job.id)
            return job

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end without its result; one that has ended stays as it is.

        What waits is cancelled at once, what runs at its next step: until then it is
        `JobState.CANCELLING`, also across a restart.

        Raises:
            UnknownJobError: If none bears the id.
            CollectionError: If that cannot be stored.
        """
        with self._lock:
            job = self._get(job_id)
            changed = {
                JobState.QUEUED: JobState.CANCELLED,
                JobState.RUNNING: JobState.CANCELLING,
            }.get(job.state)
            if changed is not None:
                job = replace(job, state=changed, updated=time.time())
                self._keep(job, ())
                self._jobs[job_id] = job
            return job

    def all(self) -> list[Job]:
        """Return the jobs that are kept, newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: If none bears the id.
        """
        with self._lock:
            return self._get(job_id)

    def close(self) -> None:
        """Stop the job under way at its next step; the next opening goes on with it."""
        with self._lock:
            self._closed.set()
            self._queue.put(None)
        self._thread.join()

    def _get(self, job_id: str) -> Job:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise UnknownJobError("no job bears this id") from None

    def _run(self) -> None:
        while (job_id := self._queue.get()) is not None:
            if self._closed.is_set():
                return
            self._do(job_id)

    def _do(self, job_id: str) -> None:
        job = self.get(job_id)
        work = self._kinds.get(job.kind)
        if job.state.ended:
            return
        if work is None:
            self._change(job_id, state=JobState.FAILED, error="this build cannot do it")
            return
        if job.state is JobState.CANCELLING:
            self._undo(job_id, work)
            return
        if job.attempts >= MOST_ATTEMPTS:
            ended = f"the process ended {job.attempts} times during this; see its log"
            self._change(job_id, state=JobState.FAILED, error=ended)
            return
        begun = self._change(
            job_id,
            expected=job.state,
            state=JobState.RUNNING,
            started=job.started or time.time(),
            attempts=job.attempts + 1,
        )
        if not begun:  # it was cancelled a moment ago
            self._do(job_id)
            return
        try:
            result = work.do(self._task(job))
            self._reached("work done")
        except StoppedJobError:
            self._change(job_id, attempts=job.attempts)
        except CancelledJobError:
            self._undo(job_id, work)
        except Exception as error:
            _log.warning("job %s failed", job.kind, exc_info=error)
            words = reason(error, self._places)
            self._change(job_id, state=JobState.FAILED, error=words)
        else:
            self._change(job_id, state=JobState.DONE, result=result)

    def _undo(self, job_id: str, work: Work) -> None:
        try:
            work.undo()
        except Exception as error:
            _log.warning("job could not be undone", exc_info=error)
            words = f"cancelled, but not all was undone: {reason(error, self._places)}"
            self._change(job_id, state=JobState.FAILED, error=words)
        else:
            self._change(job_id, state=JobState.CANCELLED)

    def _task(self, job: Job) -> Task:
        noted = time.monotonic()

        def note(done: int, total: int) -> None:
            nonlocal noted
            durable = time.monotonic() - noted >= NOTED_S
            self._change(job.id, durable=durable, done=done, total=total)
            if durable:
                noted = time.monotonic()

        def cancelled() -> bool:
            return self.get(job.id).state is JobState.CANCELLING

        return Task(
            params=job.params, note=note, cancelled=cancelled, stopped=self._closed.is_set
        )

    def _change(
        self,
        job_id: str,
        *,
        durable: bool = True,
        expected: JobState | None = None,
        **changes: Any,
    ) -> bool:
        with self._lock:
            job = self._jobs[job_id]
            if expected not in (None, job.state):
                return False
            changed = replace(job, updated=time.time(), **changes)
            self._jobs[job_id] = changed
            if durable:
                try:
                    self._keep(changed, ())
                except CollectionError as error:  # it is taken up after the next opening
                    _log.warning("job not kept: %s", error)
            return True
