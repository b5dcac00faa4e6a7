"""Jobs: done in the background, one after the other, and done again after a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crossmodal.errors import CollectionError, ConfigError, UnknownJobError
from index.collection import Collection
from index.jobs.queue import MOST_ATTEMPTS, MOST_KEPT, Jobs, Work
from index.jobs.reasons import reason, without_paths
from index.jobs.task import Task
from index.storage.database import DATABASE
from index.storage.job import Job, JobState
from index.storage.store import Store
from index.work import CollectionJobs

SECONDS = 120  # a bound for what hangs, not for what is slow


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


def job(job_id: str, state: JobState, kind: str = "compact", **known: Any) -> Job:
    return Job(id=job_id, kind=kind, state=state, **{"updated": 1.0, **known})


@contextmanager
def serving(data: Path) -> Iterator[tuple[Collection, Jobs]]:
    """A collection with its jobs, as a service holds them."""
    with Collection.open(data, write=True) as collection:
        jobs = CollectionJobs(collection)
        try:
            yield collection, jobs
        finally:
            jobs.close()


def test_a_compaction_is_done_and_remembered(data: Path) -> None:
    with serving(data) as (collection, jobs):
        started = jobs.start("compact")
        assert started.state is JobState.QUEUED
        done = ended(jobs, started.id)
        assert (done.state, done.error) == (JobState.DONE, None)
        assert done.started is not None
        assert done.result == {
            "seq": collection.view.seq,
            "vectors": {"audio": 40, "visual": 40},
        }
        assert jobs.all() == [done]
    assert kept(data) == [done]
    with serving(data) as (_, again):
        assert again.all() == [done]


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_what_was_not_finished_is_done_after_the_next_opening(
    data: Path, state: JobState
) -> None:
    put_aside(data, job("a", state), job("b", JobState.FAILED, updated=2.0))
    with serving(data) as (_, jobs):
        assert ended(jobs, "a").state is JobState.DONE
        assert jobs.get("b").state is JobState.FAILED
        assert {one.id for one in jobs.all()} == {"a", "b"}


def test_work_that_this_build_does_not_know_fails_and_holds_nothing_up(data: Path) -> None:
    put_aside(data, job("a", JobState.QUEUED, "magic"), job("b", JobState.QUEUED))
    with serving(data) as (_, jobs):
        failed = ended(jobs, "a")
        assert (failed.state, failed.error) == (JobState.FAILED, "this build cannot do it")
        assert ended(jobs, "b").state is JobState.DONE
        with pytest.raises(ConfigError, match="must be one of compact"):
            jobs.start("magic")
        with pytest.raises(UnknownJobError):
            jobs.get("c")


def test_what_an_older_build_kept_is_read(data: Path) -> None:
    store = Store.open(data / DATABASE, write=True)
    store._connection.executemany(
        "INSERT INTO jobs VALUES (?, 'compact', ?, ?, ?)",
        [
            ("a", "done", '{"seq": 3, "vectors": {}}', 1.0),
            ("b", "failed", '{"error": "OSError"}', 2.0),
            ("c", "queued", "{}", 3.0),
        ],
    )
    store.close()
    done, failed, queued = kept(data)
    assert (done.result, done.error) == ({"seq": 3, "vectors": {}}, None)
    assert (failed.result, failed.error) == (None, "OSError")
    assert (queued.result, queued.state, queued.attempts) == (None, JobState.QUEUED, 0)


class Book:
    """Jobs without a store, whose work waits to be let go."""

    def __init__(self, known: list[Job] | None = None) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.rows: dict[str, Job] = {one.id: one for one in known or []}
        self.fails: Exception | None = None
        self.undone = 0
        kinds = {
            "wait": Work(do=self.work, undo=self.undo),
            "steps": Work(do=self.steps, undo=self.undo),
            "other": Work(do=lambda task: {}),
        }
        self.jobs = Jobs(known or [], kinds, self.keep, places=[Path("/a place")])

    def work(self, task: Task) -> Mapping[str, Any]:
        self.begun.set()
        assert self.go.wait(SECONDS)
        if self.fails is not None:
            raise self.fails
        return {"n": 1, **task.params}

    def steps(self, task: Task) -> Mapping[str, Any]:
        """Make steps without end."""
        with task.progress("Walking", 1000) as advance:
            while True:
                advance()
                self.begun.set()

    def undo(self) -> None:
        self.undone += 1

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
    other = book.jobs.start("wait", {"what": "another"})
    assert book.jobs.get(other.id).state is JobState.QUEUED  # one after the other
    book.go.set()
    for started in (first, second, other):
        assert ended(book.jobs, started.id).state is JobState.DONE
    assert book.jobs.get(other.id).result == {"n": 1, "what": "another"}
    book.jobs.close()


def test_work_that_fails_says_why_without_a_path() -> None:
    book = Book()
    book.go.set()
    for error, words in (
        (CollectionError("/a place/x and /srv/y: 3 items are gone"), "a place/x and y: "),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("/secret/path"), "RuntimeError"),
    ):
        book.fails = error
        failed = ended(book.jobs, book.jobs.start("wait").id)
        assert failed.state is JobState.FAILED
        assert failed.error is not None
        assert failed.error.startswith(words)
        assert book.rows[failed.id] == failed
    book.jobs.close()


def test_words_lose_their_paths_and_nothing_else() -> None:
    text = "/srv/data/items.db: row 3/4 of 'a/b' (see /var/x/) is http://h/p"
    assert without_paths(text) == "items.db: row 3/4 of 'a/b' (see x) is http://h/p"
    assert without_paths("/my clips/a", [Path("/my clips")]) == "my clips/a"
    assert len(reason(CollectionError("x" * 9999))) == 500


def test_closing_stops_the_job_under_way_and_the_next_opening_goes_on() -> None:
    book = Book()
    first = book.jobs.start("steps")
    assert book.begun.wait(SECONDS)
    second = book.jobs.start("other")
    book.jobs.close()
    left = book.rows[first.id]
    assert (left.state, left.attempts, left.total) == (JobState.RUNNING, 0, 1000)
    assert book.rows[second.id].state is JobState.QUEUED
    with pytest.raises(CollectionError, match="closed"):
        book.jobs.start("other")
    again = Book(list(book.rows.values()))
    assert again.begun.wait(SECONDS)
    again.jobs.cancel(first.id)
    assert ended(again.jobs, second.id).state is JobState.DONE
    assert again.jobs.get(first.id).started == left.started
    again.jobs.close()


def test_a_job_is_cancelled_at_once_or_at_its_next_step() -> None:
    book = Book()
    running = book.jobs.start("steps")
    assert book.begun.wait(SECONDS)
    waiting = book.jobs.start("wait")
    assert book.jobs.cancel(waiting.id).state is JobState.CANCELLED
    assert book.rows[waiting.id].state is JobState.CANCELLED
    assert book.jobs.cancel(running.id).state is JobState.CANCELLING
    assert ended(book.jobs, running.id).state is JobState.CANCELLED
    assert book.undone == 1  # what had not begun has nothing to take back
    assert book.jobs.cancel(running.id).state is JobState.CANCELLED
    done = ended(book.jobs, book.jobs.start("other").id)
    assert book.jobs.cancel(done.id) == done
    with pytest.raises(UnknownJobError):
        book.jobs.cancel("absent")
    book.jobs.close()


def test_what_was_being_cancelled_is_undone_after_the_next_opening() -> None:
    book = Book([job("a", JobState.CANCELLING, "steps")])
    assert ended(book.jobs, "a").state is JobState.CANCELLED
    assert book.undone == 1
    book.jobs.close()


def test_work_that_ends_the_process_each_time_is_given_up() -> None:
    tried = [job("a", JobState.RUNNING, "other", attempts=MOST_ATTEMPTS - 1)]
    book = Book(tried)
    assert ended(book.jobs, "a").state is JobState.DONE
    book.jobs.close()
    book = Book([job("a", JobState.RUNNING, "other", attempts=MOST_ATTEMPTS)])
    failed = ended(book.jobs, "a")
    assert failed.state is JobState.FAILED
    assert failed.error == "the process ended 5 times during this; see its log"
    book.jobs.close()


def test_old_jobs_are_forgotten() -> None:
    book = Book()
    started = []
    for _ in range(MOST_KEPT + 5):
        started.append(book.jobs.start("other").id)
        ended(book.jobs, started[-1])
    assert [one.id for one in reversed(book.jobs.all())] == started[5:]
    assert set(book.rows) == set(started[5:])
    book.jobs.close()
