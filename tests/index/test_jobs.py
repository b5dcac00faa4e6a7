"""Jobs: done in the background, one after the other, and done again after a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crossmodal.errors import CollectionError, ConfigError, UnknownJobError
from index.collection import Collection
from index.database import DATABASE
from index.jobs import MOST_KEPT, Job, Jobs, JobState
from index.store import Store

SECONDS = 20


def ended(jobs: Jobs, job_id: str) -> Job:
    """Wait for the end of a job and return it."""
    deadline = time.monotonic() + SECONDS
    while not (job := jobs.get(job_id)).state.ended:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return job


def kept(data: Path) -> list[Job]:
    store = Store.open(data / DATABASE, write=False)
    try:
        return store.jobs()
    finally:
        store.close()


def put_aside(data: Path, *jobs: Job) -> None:
    """Leave jobs in the store, as a process does that is killed."""
    store = Store.open(data / DATABASE, write=True)
    with store.transaction("") as transaction:
        for job in jobs:
            transaction.keep_job(job)
    store.close()


def job(job_id: str, state: JobState, kind: str = "compact", updated: float = 1.0) -> Job:
    return Job(id=job_id, kind=kind, state=state, progress={}, updated=updated)


def test_a_compaction_is_done_and_remembered(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        started = collection.jobs.start("compact")
        assert started.state is JobState.QUEUED
        done = ended(collection.jobs, started.id)
        assert done.state is JobState.DONE
        assert done.progress["seq"] == collection.view.seq
        assert done.progress["vectors"] == {"audio": 40, "visual": 40}
        assert collection.jobs.all() == [done]
    assert kept(data) == [done]
    with Collection.open(data, write=True) as again:
        assert again.jobs.all() == [done]


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_what_was_not_finished_is_done_after_the_next_opening(
    data: Path, state: JobState
) -> None:
    put_aside(data, job("a", state), job("b", JobState.FAILED, updated=2.0))
    with Collection.open(data, write=True) as collection:
        assert ended(collection.jobs, "a").state is JobState.DONE
        assert collection.jobs.get("b").state is JobState.FAILED
        assert {one.id for one in collection.jobs.all()} == {"a", "b"}


def test_work_that_this_build_does_not_know_fails_and_holds_nothing_up(data: Path) -> None:
    put_aside(data, job("a", JobState.QUEUED, "magic"), job("b", JobState.QUEUED))
    with Collection.open(data, write=True) as collection:
        assert ended(collection.jobs, "a").state is JobState.FAILED
        assert ended(collection.jobs, "b").state is JobState.DONE
        with pytest.raises(ConfigError, match="must be one of compact"):
            collection.jobs.start("magic")
        with pytest.raises(UnknownJobError):
            collection.jobs.get("c")


class Book:
    """Jobs without a store, whose work waits to be let go."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.rows: dict[str, Job] = {}
        self.fails = False
        self.jobs = Jobs([], {"wait": self.work, "other": dict}, self.keep)

    def work(self) -> Mapping[str, Any]:
        self.begun.set()
        assert self.go.wait(SECONDS)
        if self.fails:
            raise OSError("/secret/path")
        return {"n": 1}

    def keep(self, job: Job, forgotten: Any) -> None:
        self.rows[job.id] = job
        for job_id in forgotten:
            del self.rows[job_id]


def test_one_that_waits_serves_everyone_who_asks() -> None:
    book = Book()
    first = book.jobs.start("wait")
    assert book.begun.wait(SECONDS)
    second = book.jobs.start("wait")  # the first has begun: it may have missed something
    assert book.jobs.start("wait") == second != first
    other = book.jobs.start("other")
    assert book.jobs.get(other.id).state is JobState.QUEUED  # one after the other
    book.go.set()
    for started in (first, second, other):
        assert ended(book.jobs, started.id).state is JobState.DONE
    book.jobs.close()


def test_work_that_fails_is_told_without_a_path() -> None:
    book = Book()
    book.fails = True
    book.go.set()
    failed = ended(book.jobs, book.jobs.start("wait").id)
    assert (failed.state, failed.progress) == (JobState.FAILED, {"error": "OSError"})
    assert book.rows == {failed.id: failed}
    book.jobs.close()


def test_closing_waits_for_the_job_under_way_and_leaves_the_rest() -> None:
    book = Book()
    first = book.jobs.start("wait")
    assert book.begun.wait(SECONDS)
    second = book.jobs.start("other")
    threading.Timer(0.1, book.go.set).start()
    book.jobs.close()
    assert book.rows[first.id].state is JobState.DONE
    assert book.rows[second.id].state is JobState.QUEUED
    with pytest.raises(CollectionError, match="closed"):
        book.jobs.start("other")


def test_old_jobs_are_forgotten() -> None:
    book = Book()
    started = []
    for _ in range(MOST_KEPT + 5):
        started.append(book.jobs.start("other").id)
        ended(book.jobs, started[-1])
    assert [one.id for one in reversed(book.jobs.all())] == started[5:]
    assert set(book.rows) == set(started[5:])
    book.jobs.close()
