"""A service that is killed while clients write: nothing acknowledged may be missing.

The oracle is what the clients were told. ``EARSHOT_CRASH_ROUNDS`` sets how often.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.kills.clients import CLIENTS, Client, History, Version, body_of
from tests.service.kills.examination import examine, stored
from tests.service.kills.process import Service

ROUNDS = int(os.environ.get("EARSHOT_CRASH_ROUNDS", "8"))
SETTINGS = {"WORKERS": 2, "COMPACTION_TAIL": 20}
BOUND_S = 240.0  # for what hangs


class Rounds:
    """Rounds of writing and ending over one data directory."""

    foreseen = frozenset({200, 201, 404, 429, 503})  # statuses

    def __init__(self, data: Path, *, seed: int = 0, mutant: str = "") -> None:
        """Start the first service."""
        self._data = data
        self._mutant = mutant
        self._seed = seed
        self.history = History()
        self._first_base = self._newest_base()
        self.restart()
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            self._base: dict[str, Any] = dict(stored(http))

    def play(self, number: int, end: str) -> list[str]:
        """Let clients write, end the service so, start it anew; return what is wrong."""
        rng = random.Random(f"{self._seed} {number}")
        lock = threading.Lock()
        seed = self._seed * 1000 + number
        clients = self.clients(lock, seed)
        before = self.history.acknowledged
        for client in clients:
            client.start()
        # by what was done, since that depends on what else the machine does
        enough = before + rng.randint(5, 60)
        deadline = time.monotonic() + BOUND_S
        while self.history.acknowledged < enough and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.02))
        wrong = []
        if end == "terminate":
            self.service.terminate()
        else:
            self.service.kill(group=end == "kill the group")
        for client in clients:
            client.stop.set()
            client.join(BOUND_S)
            assert not client.is_alive()
            if unforeseen := client.statuses - self.foreseen:
                wrong.append(f"statuses {unforeseen}")
        if left := self.service.survivors():
            wrong.append(f"processes {left} survive")
        self.restart()
        more, found = self.examined()
        wrong += self.history.wrong + more + list(self._files())
        self.history.settle(found)
        return wrong

    def restart(self) -> None:
        """Start the service, none being there."""
        self.service = Service(self._data, mutant=self._mutant, **SETTINGS)

    def clients(self, lock: threading.Lock, seed: int) -> Sequence[Client]:
        """Return who is to write in a round."""
        url = self.service.url
        return [Client(n, url, self.history, lock, seed) for n in range(CLIENTS)]

    def examined(self) -> tuple[list[str], dict[str, Version]]:
        """Return what is wrong with what the service holds, and what it holds."""
        return examine(self.service.url, self.history, self._base)

    def _files(self) -> list[str]:
        wrong = []
        if list((self._data / "staging").iterdir()):
            wrong.append("something is left in staging")
        if list((self._data / "index").glob("*.bad*")):
            wrong.append("an index file was damaged")
        return wrong

    def compact(self) -> None:
        """Write, unless index files were made anew by now, until they are."""
        deadline = time.monotonic() + BOUND_S
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            while self._newest_base() == self._first_base:
                assert time.monotonic() < deadline, "nothing was compacted"
                http.put("/items/more", json=body_of("more", 1)).raise_for_status()

    def _newest_base(self) -> int:
        bases = (self._data / "index").glob("base-audio-*.faiss")
        return max(int(path.stem.split("-")[2]) for path in bases)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_deleted_returns(copied: Path) -> None:
    rounds = Rounds(copied)
    try:
        for number in range(ROUNDS):
            end = "kill the group" if number % 4 else "kill the parent"
            assert rounds.play(number, end) == [], f"round {number}"
        assert rounds.history.acknowledged >= 5 * ROUNDS
        rounds.compact()
        print(f"{ROUNDS} rounds, {rounds.history.acknowledged} acknowledged")
    finally:
        rounds.service.kill()


@pytest.mark.slow
def test_told_to_end_it_answers_what_it_took_and_loses_nothing(copied: Path) -> None:
    rounds = Rounds(copied, seed=1)
    try:
        for number in range(max(2, ROUNDS // 4)):
            assert rounds.play(number, "terminate") == [], f"round {number}"
    finally:
        rounds.service.kill()
