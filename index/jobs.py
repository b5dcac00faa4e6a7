"""Jobs: long work that is asked for, goes on in the background, and outlives a restart.

Every job is kept in the store. One that was not finished when the process ended is done
again by the next that opens the collection for writing, so a kind of work must come to
the same end when it is begun anew.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

from crossmodal.errors import CollectionError, ConfigError, UnknownJobError

MOST_KEPT = 100
_log = logging.getLogger(__name__)

# Does the work and returns what it came to, as JSON values.
Work = Callable[[], Mapping[str, Any]]


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        id: Its name, a random one.
        kind: What is done.
        state: How far it is.
        progress: What it came to, or ``error``, in words.
        updated: When it changed last, in Unix seconds.
    """

    id: str
    kind: str
    state: JobState
    progress: Mapping[str, Any]
    updated: float


class Jobs:
    """The jobs of a collection, done one after the other by a thread of their own."""

    def __init__(
        self,
        known: Sequence[Job],
        kinds: Mapping[str, Work],
        keep: Callable[[Job, Sequence[str]], None],
    ) -> None:
        """Start the thread, with the jobs that were not finished.

        Args:
            known: What the store keeps, oldest first.
            kinds: What can be done.
            keep: Stores a job durably, in place of those of the ids given.
        """
        self._kinds = kinds
        self._keep = keep
        self._jobs = {job.id: job for job in known}
        self._lock = threading.Lock()
        self._closed = False
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for job in known:
            if not job.state.ended:
                self._queue.put(job.id)
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def start(self, kind: str) -> Job:
        """Ask for work; a job of the kind that has not begun serves everyone who asked.

        Raises:
            ConfigError: If there is no such work.
            CollectionError: If it was closed, or the job cannot be stored.
        """
        if kind not in self._kinds:
            raise ConfigError(f"a job's kind must be one of {', '.join(self._kinds)}")
        with self._lock:
            if self._closed:
                raise CollectionError("the collection is closed")
            for job in self._jobs.values():
                if job.kind == kind and job.state is JobState.QUEUED:
                    return job
            job = Job(
                id=uuid4().hex,
                kind=kind,
                state=JobState.QUEUED,
                progress={},
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
            try:
                return self._jobs[job_id]
            except KeyError:
                raise UnknownJobError("no job bears this id") from None

    def close(self) -> None:
        """Finish the job under way; those that wait are done after the next opening."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job_id := self._queue.get()) is not None:
            if self._closed:
                return
            self._do(job_id)

    def _do(self, job_id: str) -> None:
        job = self.get(job_id)
        work = self._kinds.get(job.kind)
        if work is None:
            self._change(job, JobState.FAILED, {"error": "this build cannot do it"})
            return
        self._change(job, JobState.RUNNING, {})
        try:
            progress = work()
        except Exception as error:
            _log.warning("job failed: %s", error)
            self._change(job, JobState.FAILED, {"error": type(error).__name__})
        else:
            self._change(job, JobState.DONE, progress)

    def _change(self, job: Job, state: JobState, progress: Mapping[str, Any]) -> None:
        changed = replace(job, state=state, progress=progress, updated=time.time())
        with self._lock:
            self._jobs[job.id] = changed
            try:
                self._keep(changed, ())
            except CollectionError as error:  # it is done again after the next opening
                _log.warning("job not kept: %s", error)
