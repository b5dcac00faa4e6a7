"""Admission: a full queue refuses before it reads, and one queue does not fill another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.http.admission import Lane
from service.http.handlers import BUSY_S
from service.problems import ProblemError

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2visual"
QUERY = {"vector": [1.0, 0, 0, 0, 0, 0, 0, 0]}


def test_places_are_given_back_whatever_happens() -> None:
    lane = Lane("searches", 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lane:
            raise ZeroDivisionError
    with lane:
        assert lane.taken == 1
        with pytest.raises(ProblemError, match="all 1 places") as caught:
            lane.__enter__()
    assert caught.value.code == "busy"
    assert (lane.taken, lane.refused) == (0, 1)


async def test_a_full_queue_answers_429_without_reading_the_body(
    connect: Any, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(workers=1)
    runtime = client._transport.app.state.runtime
    go = threading.Event()

    def slow(*_: Any) -> Any:
        assert go.wait(600)
        raise ProblemError("undecodable", "slow")

    monkeypatch.setattr("service.searching.answering.embed_query", slow)

    async def upload() -> int:
        reply = await client.post(SEARCH, files={"file": ("a", clips["sound"])})
        return int(reply.status_code)

    places = runtime.uploads.places
    assert places == 4  # workers x 4
    waiting = [asyncio.create_task(upload()) for _ in range(places)]
    while runtime.uploads.taken < places:
        await asyncio.sleep(0.01)

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    held: list[float] = []

    async def hold(seconds: float) -> None:
        held.append(seconds)

    monkeypatch.setattr("service.http.handlers.sleep", hold)
    refused = await client.post(
        SEARCH, content=never(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (refused.status_code, refused.json()["code"]) == (429, "busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert held == [BUSY_S]  # or else it is asked again before anyone is served
    by_id = await client.post(SEARCH, json={"id": "i00"})
    assert by_id.status_code == 200  # searches have a queue of their own
    go.set()
    assert set(await asyncio.gather(*waiting)) == {422}
    assert len(held) == 1  # other refusals are told at once
    assert runtime.uploads.taken == 0
