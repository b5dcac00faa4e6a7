"""The pool: worker processes that outlive a failing job, and are replaced if they die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from training.compare.files import write_compact_json
from training.compare.job import failure, run_job
from training.compare.outcome import FAILED
from training.compare.places import Places
from training.compare.plan import Job
from training.compare.source import Source

Task = tuple[Job, str]

ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
}
PATIENCE_S = 5.0  # for a worker that was asked to end


def run_in_processes(
    tasks: Sequence[Task], path: Path, places: Places, workers: int
) -> Iterator[Task]:
    """Run jobs in parallel, one torch thread each; yield each when its outcome is there.

    Workers are spawned, so that no thread or GPU context is shared. One that dies, as for
    want of memory, makes its job a failed one and is replaced.
    """
    waiting = list(reversed(tasks))
    busy: list[Worker] = []
    try:
        for _ in range(min(workers, len(waiting))):
            busy.append(Worker(path, places.directory))
            busy[-1].give(waiting.pop())
        while busy:
            ready = wait([worker.connection for worker in busy])
            for worker in [worker for worker in busy if worker.connection in ready]:
                task, alive = worker.finished()
                if not alive:
                    busy.remove(worker)
                    _record_death(task, worker.exit_code(), places)
                yield task
                if waiting:
                    if not alive:
                        worker = Worker(path, places.directory)
                        busy.append(worker)
                    worker.give(waiting.pop())
                elif alive:
                    busy.remove(worker)
                    worker.end()
    finally:
        for worker in busy:
            worker.end()


class Worker:
    """One process and the job it is at."""

    def __init__(self, path: Path, directory: Path) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._task: Task | None = None
        self._process: BaseProcess = context.Process(
            target=work, args=(theirs, path, directory), daemon=True
        )
        with _environment(ONE_THREAD):
            self._process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        """Start a job."""
        self._task = task
        try:
            self.connection.send(task)
        except BrokenPipeError:
            return  # it died at once: its closed connection says so to who waits

    def finished(self) -> tuple[Task, bool]:
        """Return the job that is done with, and whether the process lives on."""
        if self._task is None:
            raise RuntimeError("the worker was given nothing")
        try:
            self.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._task, False
        return self._task, True

    def exit_code(self) -> int | None:
        """Return how a dead process ended: a status, or less than 0, a signal."""
        self._process.join(PATIENCE_S)
        self.connection.close()
        return self._process.exitcode

    def end(self) -> None:
        """Stop the process, whatever it is at."""
        self._process.terminate()
        self._process.join(PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()


def work(connection: Connection, path: Path, directory: Path) -> None:
    """Run jobs as they are given, until the other side hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side decides
    torch.set_num_threads(1)
    source, places = Source(path), Places(directory)
    while True:
        try:
            job, key = connection.recv()
        except EOFError:
            return
        run_job(job, key, source, places)
        connection.send(key)


def _record_death(task: Task, status: int | None, places: Places) -> None:
    job, key = task
    if status is not None and status < 0:
        cause = f"signal {-status} ({signal.Signals(-status).name})"
    else:
        cause = f"status {status}"
    hint = "; too little memory?" if status == -signal.SIGKILL else ""
    reason = f"its process ended with {cause}{hint}"
    outcome = {"key": key, "job": asdict(job), **failure(FAILED, reason)}
    write_compact_json(places.outcome(key), outcome)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for a process to be started, which reads them on import."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
