"""A service that is killed at a named point of one request: what its sender may find.

Sent again under its key, a request that was done is answered, and one that was not is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.service.kills.clients import History, Step, Version, send
from tests.service.kills.examination import examine, stored
from tests.service.kills.process import Service

BOUND_S = 240.0  # for what hangs
CLIENT = 1
AN_ITEM = {"1-0": 7}
A_CLIP = {"0-0": 10}
SEVERAL = {"1-0": 1, "1-1": 2, "1-2": 4}
ANSWERED = ""


class Kill(NamedTuple):
    """A request, and the point of it at which the service is killed."""

    point: str  # "" if it is killed once it has answered
    versions: dict[str, Version]
    done: bool  # whether the request is done by then


KILLS = (
    Kill(ANSWERED, AN_ITEM, True),
    Kill("media renamed", A_CLIP, False),
    Kill("after commit", A_CLIP, True),
    Kill("before commit", SEVERAL, False),
    Kill("before publish", {"1-0": 3, "1-1": 5}, True),
    Kill("after commit", {"1-0": None}, True),
    Kill("before commit", {"1-1": None, "1-2": None}, False),
)


def until(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not state():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.01)


def ask(url: str, step: Step, replies: list[httpx.Response]) -> None:
    """Send a request, of whose answer nothing may come."""
    with httpx.Client(base_url=url, timeout=2 * BOUND_S) as http:
        try:
            replies.append(send(http, step))
        except httpx.TransportError:
            return


class Successions:
    """Services over one data directory, each killed at a point and asked again."""

    def __init__(self, data: Path, mutant: str = "") -> None:
        self._data = data
        self._mutant = mutant
        self._history = History()
        self.service = Service(data, mutant=mutant)
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            self._base = dict(stored(http))

    def play(self, kill: Kill, key: str) -> list[str]:
        """Kill the service at a point of a request; return what is wrong then."""
        step = Step(key, kill.versions)
        self._history.sent(CLIENT, step)
        if kill.point == ANSWERED:
            with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
                self._history.told(CLIENT, step, send(http, step))
            self.service.kill()
        else:
            self._kill_at(kill.point, step)
        self.service = Service(self._data, mutant=self._mutant)
        wrong, found = examine(self.service.url, self._history, self._base)
        self._history.settle(found)
        with httpx.Client(base_url=self.service.url, timeout=BOUND_S) as http:
            again = send(http, step)
        if again.status_code not in (200, 201):
            return [*wrong, again.text[:300]]
        replayed = "idempotent-replayed" in again.headers
        if replayed is not kill.done:
            wrong.append(
                f"sent again it was {'only answered' if replayed else 'done twice'}"
            )
        self._history.sent(CLIENT, step)
        self._history.visible[step.key] = replayed
        self._history.told(CLIENT, step, again)
        more, _ = examine(self.service.url, self._history, self._base)
        return [*wrong, *self._history.wrong, *more]

    def _kill_at(self, point: str, step: Step) -> None:
        hold, held = (self._data.parent / name for name in ("hold", "held"))
        replies: list[httpx.Response] = []
        hold.write_text(point)
        sender = threading.Thread(target=ask, args=(self.service.url, step, replies))
        sender.start()
        until(held.exists)
        self.service.kill()
        sender.join(BOUND_S)
        assert not sender.is_alive()
        assert replies == []  # it was never answered
        hold.unlink()
        held.unlink()


def play(data: Path, kills: Sequence[Kill], mutant: str = "") -> list[str]:
    """Kill a service at each point in turn; return what was wrong, with the point."""
    successions = Successions(data, mutant)
    try:
        return [
            f"{kill.point or 'answered'}: {text}"
            for number, kill in enumerate(kills)
            for text in successions.play(kill, f"key-{number}")
        ]
    finally:
        successions.service.kill()


@pytest.mark.slow
def test_a_request_is_done_once_wherever_the_service_is_killed(copied: Path) -> None:
    assert play(copied, KILLS) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "kill", "said"),
    [
        (
            "forget keys",
            Kill("after commit", AN_ITEM, True),
            "after commit: sent again it was done twice",
        ),
        (
            "answer before commit",
            Kill(ANSWERED, AN_ITEM, True),
            "answered: 1-0 is lost; it was acknowledged as {7}",
        ),
    ],
)
def test_a_service_that_breaks_its_word_is_found_out(
    copied: Path, mutant: str, kill: Kill, said: str
) -> None:
    assert said in play(copied, [kill], mutant)
