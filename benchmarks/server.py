"""A server process on a free loopback port, for as long as a benchmark needs it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

START_S = 240.0  # the machine may be shared
STOP_S = 20.0
_TRIED = itertools.count(64 * os.getpid())  # processes try others


class Server(NamedTuple):
    """A process that answers on 127.0.0.1."""

    port: int
    pid: int


def free_port() -> int:
    """Return a loopback port that nothing listens on.

    Where the system takes ports for connections from the upper half, as Linux does, none is
    given this one before a server has bound it.
    """
    for number in _TRIED:
        port = 20_000 + number % 12_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError


@contextmanager
def serving(
    data: Path, *, variables: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Server]:
    """Serve a data directory, read only unless told otherwise.

    Args:
        data: The data directory.
        variables: More of its environment.
        settings: More of the service's settings, as its environment names them.

    Raises:
        RuntimeError: If it ends, or is not ready in time.
    """
    given = {"read_only": True, **settings}
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")},
        **(variables or {}),
        **{f"EARSHOT_{name.upper()}": str(value) for name, value in given.items()},
    }

    def command(port: int) -> list[str]:
        environment["EARSHOT_PORT"] = str(port)
        return [sys.executable, "-m", "service", "serve", "--data", str(data)]

    with running(command, environment, ready="/readyz") as server:
        yield server


@contextmanager
def running(
    command: Callable[[int], list[str]],
    environment: Mapping[str, str] | None = None,
    *,
    ready: str = "/",
    log: Path | None = None,
    start_s: float = START_S,
) -> Iterator[Server]:
    """Run a server; it is ready once it answers, and ended by its process id.

    Args:
        command: What to run, given a free port.
        environment: Its variables; this process's if not given.
        ready: The path that is asked until it answers below 500.
        log: Where its output goes; nowhere if not given.
        start_s: How long that may take.

    Raises:
        RuntimeError: If it ends, or is not ready in time; with the end of its output.
    """
    port = free_port()
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            command(port), env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}{ready}", process, log, start_s)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(
    url: str, process: subprocess.Popen[bytes], log: Path | None, start_s: float
) -> None:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with status {process.returncode}{_end_of(log)}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code < 500:
                return
            time.sleep(0.05)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"it was not ready within {start_s:g} s{_end_of(log)}")


def _end_of(log: Path | None) -> str:
    if log is None:
        return ""
    lines = log.read_text(errors="replace").strip().splitlines()
    return ": " + " | ".join(lines[-3:]) if lines else ""
