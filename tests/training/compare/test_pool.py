"""Worker processes: results come back, a death is one job's failure."""

import os
import signal
from pathlib import Path

import pytest

from training.compare import pool
from training.compare.outcome import Outcome
from training.compare.places import Places
from training.compare.plan import Job
from training.compare.pool import Worker, run_in_processes


def job(seed: int, method: str = "random") -> Job:
    return Job(entry=method, method=method, preset="tuned", overrides={}, seed=seed)


@pytest.mark.slow
def test_jobs_run_in_other_processes_and_a_killed_one_is_a_failure(
    make_file: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_file()  # type: ignore[operator]
    places = Places(tmp_path / "out")
    places.make()
    given = Worker.give

    def give(worker: Worker, task: tuple[Job, str]) -> None:
        if task[1] == "doomed":
            process = worker._process.pid
            assert process not in (None, os.getpid())
            os.kill(process, signal.SIGKILL)  # type: ignore[arg-type]
        given(worker, task)

    monkeypatch.setattr(pool.Worker, "give", give)
    tasks = [(job(0), "first"), (job(1), "doomed"), (job(2), "last")]
    done = list(run_in_processes(tasks, path, places, workers=1))
    assert done == tasks
    outcomes = {key: Outcome.open(places.outcome(key)) for _, key in tasks}
    assert outcomes["first"].ok
    assert outcomes["last"].ok
    assert outcomes["doomed"].values["status"] == "failed"
    assert "SIGKILL" in outcomes["doomed"].values["reason"]
    assert places.finished("first")
    assert not places.finished("doomed")  # it will be tried again
