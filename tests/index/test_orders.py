"""Orders: a folder added by the process that serves the directory, asked for beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crossmodal.errors import CollectionError, CollectionLockedError
from index.add import add
from index.jobs.following import have_done
from index.jobs.orders import ORDERS, place_order, read_orders
from index.storage.job import JobState
from index.work import ADD, add_params
from tests.index.test_add import vectors, write
from tests.index.test_jobs import ended, job, kept, put_aside, serving

SECONDS = 120
ROOT = Path(__file__).parents[2]


def test_a_served_directory_is_added_to_as_a_job(data: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "more.h5", range(30))
    steps: list[int] = []

    @contextmanager
    def counting(description: str, total: int) -> Iterator[Any]:
        steps.append(total)
        yield lambda: steps.append(1)

    with serving(data) as (collection, jobs):
        result = have_done(data, ADD, add_params(source), progress=counting)
        assert (result["added"], result["left_out"]) == (30, 0)
        assert result["view_seq"] == collection.view.seq
        (one,) = jobs.all()
        assert (one.done, one.total) == (60, 60)
        assert (steps[0], sum(steps[1:])) == (60, 60)
        assert not list((data / ORDERS).iterdir())
        again = have_done(data, ADD, add_params(source))
        assert (again["added"], again["existing"]) == (0, 30)
    assert len(vectors(data)) == 70


def test_the_command_hands_its_work_to_the_service(data: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "more.h5", range(5))
    command = [sys.executable, "-m", "index", "add", "--data", str(data), str(source)]
    with serving(data):
        locked = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
        )
        done = subprocess.run(
            [*command, "--served", "--format", "json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert (locked.returncode, "--served" in locked.stderr) == (3, True)
    told = json.loads(done.stdout)
    assert (told["added"], told["skipped"], told["data"]) == (5, [], str(data))


def test_a_job_that_fails_says_why_and_not_where(data: Path, tmp_path: Path) -> None:
    with serving(data) as (_, jobs):
        with pytest.raises(CollectionError, match=r"failed: nothing\.h5: no such file"):
            have_done(data, ADD, add_params(tmp_path / "nothing.h5"))
        assert str(tmp_path) not in str(jobs.all()[0].error)
        with pytest.raises(CollectionError, match="this build cannot do it"):
            have_done(data, "magic", {})


def test_an_order_that_nobody_takes_up_is_withdrawn(data: Path) -> None:
    said: list[str] = []
    with pytest.raises(CollectionLockedError, match="took the order up"):
        have_done(data, ADD, {}, waiting=said.append, taken_within_s=2.5)
    assert said == [f"waiting for a service that writes to {data}, 2 s at most"]
    assert list(read_orders(data)) == []


def test_an_order_is_taken_up_once_whenever_the_process_ends(
    data: Path, tmp_path: Path
) -> None:
    """Killed between storing the job and deleting the order, it finds both again."""
    source = write(tmp_path / "more.h5", range(3))
    order_id = place_order(data, ADD, add_params(source))
    (order,) = read_orders(data)
    assert (order.id, order.kind) == (order_id, ADD)
    put_aside(data, job(order_id, JobState.QUEUED, ADD, params=order.params))
    with serving(data) as (_, running):
        assert ended(running, order_id).state is JobState.DONE
        wait_until(lambda: not list(read_orders(data)))
        assert len(running.all()) == 1
    assert len(vectors(data)) == 43


def test_what_is_no_order_is_deleted(data: Path) -> None:
    place_order(data, ADD, {})
    bad = data / ORDERS / f"{'0' * 32}.json"
    bad.write_text("[")
    (data / ORDERS / "note.json").write_text("[")
    assert len(list(read_orders(data))) == 1
    assert not bad.exists()
    assert (data / ORDERS / "note.json").exists()


def test_a_job_that_adds_goes_on_after_a_kill(data: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "more.h5", range(40))
    hold = tmp_path / "hold"
    module = "tests.index.crash.stalled_add"
    stalled = [sys.executable, "-m", module, str(data), str(source), str(hold), "12", "job"]
    with subprocess.Popen(stalled, cwd=ROOT) as running:
        wait_until(lambda: hold.exists() or running.poll() is not None)
        running.kill()
    (left,) = kept(data)
    assert left.state is JobState.RUNNING
    before = vectors(data)
    assert len(before) == 52
    with serving(data) as (collection, jobs):
        done = ended(jobs, left.id)
        assert (done.state, done.attempts) == (JobState.DONE, 2)
        assert done.result is not None
        assert done.result["added"] + done.result["existing"] == 40
        assert done.result["added"] == 80 - len(before)
        seqs = sorted(item.seq for item in collection.view.items.values())
        assert len(set(seqs)) == 80
    after = vectors(data)
    assert {item_id: after[item_id] for item_id in before} == before
    add(data, source, workers=1)
    assert vectors(data) == after


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
