"""A service that is killed while it passes from one bundle to another and clients write.

Vectors say which model made them, and clips are embedded by the test itself: so whatever is
served is compared with what the model that is served makes. ``EARSHOT_CRASH_ROUNDS`` sets
how often.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from crossmodal.bundle import Bundle
from crossmodal.embed import embed_clip
from crossmodal.embeddings import Embeddings
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from index.versions.beside import beside_id
from index.versions.laying import lay_beside
from tests.service.kills.clients import (
    CLIENTS,
    Client,
    History,
    Step,
    Version,
    send,
    served_model,
)
from tests.service.kills.examination import examine
from tests.service.second_bundle import second_bundle
from tests.service.test_kills import BOUND_S, Rounds

ROUNDS = int(os.environ.get("EARSHOT_CRASH_ROUNDS", "3"))
ENDED = ("done", "failed", "cancelled")
FIXED = Step("fixed", {"0-a": 5})  # a clip that nobody changes


class Embedder:
    """Embeds clips by each of two models, as the service should."""

    def __init__(self, bundles: Sequence[Bundle], decoder: Decoder) -> None:
        self.models = {bundle.model_id: bundle for bundle in bundles}
        self._decoder = decoder
        self._known: dict[tuple[str, bytes], Embeddings] = {}

    def embed(self, model: str, clip: bytes) -> Embeddings:
        """Return a clip's vector by the model of an id."""
        audio = Modality.AUDIO
        if (model, clip) not in self._known:
            found = embed_clip(self.models[model], clip, (audio,), self._decoder)
            self._known[model, clip] = found.embeddings[audio][0]
        return self._known[model, clip]


class Switcher(Client):
    """Has a service pass to the bundle beside, and back, until it is gone.

    ``possible`` are the models that may be served once no job is under way.
    """

    def __init__(self, url: str, history: History, models: set[str], seed: int) -> None:
        super().__init__(CLIENTS, url, history, threading.Lock(), seed)
        self._models = models
        self.possible = models
        self.switched = 0

    def run(self) -> None:
        """Begin jobs, cancel some, and look at what each comes to."""
        with httpx.Client(base_url=self._url, timeout=BOUND_S) as http:
            try:
                while not self.stop.is_set():
                    if self._rng.random() < 0.3:
                        self._reembed(http, cancelled=self._rng.random() < 0.5)
                    self.switch(http)
            except httpx.TransportError:
                return

    def switch(self, http: httpx.Client) -> None:
        """Have it pass to the other model, and look whether it did."""
        before = served_model(http)
        self.possible = self._models  # whether it is asked is not known for a moment
        job = self._begin(http, kind="switch", partial=True)
        self.possible = self._models - {before}
        self._end(http, job)
        if (served := served_model(http)) not in self.possible:
            self._history.wrong.append(f"{served} is served after a switch from {before}")
        self.switched += 1

    def _reembed(self, http: httpx.Client, *, cancelled: bool) -> None:
        job = self._begin(http, kind="reembed")
        if cancelled:
            http.delete(f"/jobs/{job}")
        self._end(http, job)

    def _begin(self, http: httpx.Client, **asked: Any) -> str:
        reply = http.post("/jobs", json=asked)
        self.statuses.add(reply.status_code)
        return str(reply.json()["id"])

    def _end(self, http: httpx.Client, job: str) -> None:
        while (told := http.get(f"/jobs/{job}").json())["state"] not in ENDED:
            self.stop.wait(0.01)
        if told["error"] is not None:
            self._history.wrong.append(f"a job failed: {told['error']}")


class SwitchRounds(Rounds):
    """Rounds over a directory that has a bundle beside the one that it serves."""

    foreseen = Rounds.foreseen | {202, 409}

    def __init__(self, data: Path, embedder: Embedder, *, mutant: str = "") -> None:
        super().__init__(data, seed=2, mutant=mutant)
        self._embedder = embedder
        self._models = set(embedder.models)
        self._switchers: list[Switcher] = []
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            self.history.sent(0, FIXED)
            self.history.told(0, FIXED, send(http, FIXED))
            http.post("/items/delete", json={"ids": list(self._base)}).raise_for_status()
            self._base = {}  # most of them could not be embedded by another model

    @property
    def switched(self) -> int:
        """How many switches were seen to be done."""
        return sum(switcher.switched for switcher in self._switchers)

    def clients(self, lock: threading.Lock, seed: int) -> Sequence[Client]:
        """Return who is to write, and who is to switch."""
        url, history = self.service.url, self.history
        self._switchers.append(Switcher(url, history, self._models, seed))
        writers = [
            Client(n, url, history, lock, seed, names_model=True) for n in range(CLIENTS)
        ]
        return [*writers, self._switchers[-1]]

    def examined(self) -> tuple[list[str], dict[str, Version]]:
        """Examine what is held once the jobs that were killed have ended."""
        wrong = []
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:

            def jobs() -> list[dict[str, Any]]:
                return list(http.get("/jobs").json()["jobs"])

            deadline = time.monotonic() + BOUND_S
            while not all(job["state"] in ENDED for job in jobs()):
                assert time.monotonic() < deadline, "the jobs do not end"
                time.sleep(0.01)
            wrong += [f"a job failed: {j['error']}" for j in jobs() if j["error"]]
            served = served_model(http)
        if served not in self._switchers[-1].possible:
            wrong.append(f"{served} is served, another was acknowledged")
        beside = beside_id(self._data)
        if {served, beside} != self._models:
            wrong.append(f"{served} is served, {beside} lies beside")
        if Bundle.open(self._data / "bundle").model_id != served:
            wrong.append("another bundle is served than is in its place")
        if list(self._data.glob(".beside*")):
            wrong.append("a draft of a bundle is left")
        url, embed = self.service.url, self._embedder.embed
        more, found = examine(url, self.history, self._base, embed)
        return wrong + more, found

    def switch(self) -> list[str]:
        """Have the service pass to the other model, kill it, return what is wrong then."""
        switcher = Switcher(self.service.url, self.history, self._models, 0)
        self._switchers.append(switcher)
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            switcher.switch(http)
        self.service.kill()
        self.restart()
        return [*self.history.wrong, *self.examined()[0]]


@pytest.fixture
def embedder(bundle: Bundle, decoder: Decoder, copied: Path, tmp_path: Path) -> Embedder:
    """Embeds by both models of the directory, whose second lies beside."""
    lay_beside(copied, second_bundle(bundle, tmp_path / "other"))
    return Embedder([bundle, Bundle.open(tmp_path / "other")], decoder)


@pytest.mark.slow
def test_nothing_is_lost_or_returns_or_changes_while_models_are_switched(
    copied: Path, embedder: Embedder
) -> None:
    rounds = SwitchRounds(copied, embedder)
    try:
        assert rounds.switch() == []
        for number in range(ROUNDS):
            end = "kill the group" if number % 4 else "kill the parent"
            assert rounds.play(number, end) == [], f"round {number}"
        acknowledged = rounds.history.acknowledged
        print(f"{ROUNDS} rounds, {acknowledged} acknowledged, {rounds.switched} switches")
    finally:
        rounds.service.kill()


@pytest.mark.slow
def test_a_switch_before_all_is_embedded_is_found_out(
    copied: Path, embedder: Embedder
) -> None:
    rounds = SwitchRounds(copied, embedder, mutant="switch without the vectors")
    try:
        assert "0-a is searched by [], expected ['audio']" in rounds.switch()
    finally:
        rounds.service.kill()
