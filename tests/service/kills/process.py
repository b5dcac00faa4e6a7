"""A service process of its own, with everything it starts, that tests end as they like."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx

from benchmarks.server import free_port

ROOT = Path(__file__).parents[3]
START_S = 240.0  # the machine may be shared
GONE_S = 120.0
# a client that the machine lets wait is not one that is slow
PATIENT = {"HEADER_TIMEOUT_S": 600, "BODY_WINDOW_S": 600, "BODY_TIMEOUT_S": 600}
TOKEN = "SERVICE_OF_A_TEST"


class Service:
    """A running service; all its descendants bear a token in their environment."""

    def __init__(
        self,
        data: Path,
        *,
        mutant: str = "",
        launcher: str = "tests.service.kills.launcher",
        cwd: Path = ROOT,
        **settings: object,
    ) -> None:
        """Start it, by a launcher that knows the mutant, and wait until it is ready."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = uuid4().hex
        clean = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
        given = {"PORT": self.port, "LOG_LEVEL": "warning", **PATIENT, **settings}
        self.log = data.parent / f"service-{self.port}.log"
        started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", launcher, mutant, str(data)],
                cwd=cwd,
                env=clean
                | {f"EARSHOT_{name}": str(value) for name, value in given.items()}
                | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
                | {"PYTHONPATH": str(ROOT)}
                | {TOKEN: self.token},
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait(started + START_S)
        except BaseException:
            self.kill()
            raise
        self.ready_s = time.monotonic() - started

    def _wait(self, deadline: float) -> None:
        while True:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, "the service did not become ready"
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)

    def kill(self, *, group: bool = True) -> None:
        """Kill it at once: with its group, or alone, which its children must notice."""
        send = os.killpg if group else os.kill
        if self.process.poll() is None:
            send(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> None:
        """Ask it to end, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(GONE_S)

    def survivors(self) -> list[int]:
        """Return its processes that are there though it is gone, after some grace."""
        deadline = time.monotonic() + GONE_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def processes(self) -> list[int]:
        """Return the ids of all its processes that run."""
        wanted = f"{TOKEN}={self.token}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if wanted in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def handles(self) -> int:
        """Return how many files the main process holds open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
