"""Rates: the number let in over a time, held to burst + rate x time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from service.access.rates import MOST_CALLERS, Rates

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr("service.access.rates.time.monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(("per_s", "burst"), [(5.0, 1), (5.0, 20), (0.5, 3), (400.0, 50)])
@pytest.mark.parametrize("asked_per_s", [0.5, 3.0])
def test_what_is_let_in_is_burst_and_rate(
    clock: Clock, per_s: float, burst: int, asked_per_s: float
) -> None:
    rates = Rates(per_s, burst)
    seconds = 200 / per_s
    gaps = np.random.default_rng(0).exponential(1 / (asked_per_s * per_s), 2000)
    let_in, asked, tokens = 0, 0, float(burst)
    expected = 0
    started = clock.now_s
    for gap in gaps:
        clock.now_s += gap
        if clock.now_s - started > seconds:
            break
        tokens = min(burst, tokens + gap * per_s)  # the bucket, drawn out
        asked += 1
        if tokens >= 1 - 1e-9:
            tokens -= 1
            expected += 1
        let_in += rates.take("caller") == 0
    assert abs(let_in - expected) <= 1
    assert asked
    if asked_per_s > 1 and burst > 1:  # a bucket of one spills what comes in bunches
        assert let_in == pytest.approx(burst + per_s * seconds, rel=0.1)


def test_whoever_waits_as_told_is_let_in(clock: Clock) -> None:
    rates = Rates(2.0, 3)
    waits = [rates.take("a") for _ in range(4)]
    assert waits == [0, 0, 0, pytest.approx(0.5)]
    clock.now_s += 0.49
    assert rates.take("a") == pytest.approx(0.01)
    clock.now_s += 0.02
    assert rates.take("a") == 0


def test_callers_do_not_spend_each_others_rate(clock: Clock) -> None:
    rates = Rates(1.0, 1)
    assert [rates.take(caller) for caller in "abab"] == [0, 0, 1.0, 1.0]


def test_a_rate_of_zero_is_no_limit() -> None:
    rates = Rates(0, 1)
    assert {rates.take("a") for _ in range(1000)} == {0}


def test_memory_is_bounded_and_the_longest_silent_forgotten(clock: Clock) -> None:
    rates = Rates(0.001, 1)
    rates.take("old")
    rates.take("busy")
    for number in range(MOST_CALLERS - 1):
        rates.take(number)
    assert len(rates._full_at) == MOST_CALLERS
    assert rates.take("busy") > 0
    assert rates.take("old") == 0


async def test_a_key_over_its_rate_is_told_when_to_come_back(
    connect: Any, api_keys: str, secrets: Mapping[str, str], clock: Clock
) -> None:
    client = await connect(api_keys=api_keys, rate=2, rate_burst=5)

    async def ask(role: str) -> Any:
        return await client.get(
            "/version", headers={"authorization": f"Bearer {secrets[role]}"}
        )

    statuses = [(await ask("read")).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = await ask("read")
    assert refused.json()["code"] == "rate-limited"
    assert refused.headers["retry-after"] == "1"
    assert (await ask("write")).status_code == 200
    assert (await client.get("/livez")).status_code == 200
    clock.now_s += 1
    assert [(await ask("read")).status_code for _ in range(3)] == [200, 200, 429]


async def test_wrong_keys_are_limited_by_address_and_lock_nobody_out(
    connect: Any, api_keys: str, secrets: Mapping[str, str], clock: Clock
) -> None:
    client = await connect(
        api_keys=api_keys,
        failed_rate=1,
        failed_burst=3,
        trusted_proxies="127.0.0.0/8",
    )

    async def ask(secret: str, address: str) -> int:
        reply = await client.get(
            "/version",
            headers={"authorization": f"Bearer {secret}", "x-forwarded-for": address},
        )
        if reply.status_code == 429:
            assert reply.headers["retry-after"] == "1"
        return int(reply.status_code)

    guesses = [await ask(f"guess-{n}", "10.0.0.1") for n in range(5)]
    assert guesses == [401, 401, 401, 429, 429]
    assert await ask(secrets["read"], "10.0.0.1") == 200
    assert await ask("guess", "10.0.0.2") == 401
    clock.now_s += 1
    assert await ask("guess", "10.0.0.1") == 401


async def test_without_keys_the_rate_is_an_addresss(connect: Any, clock: Clock) -> None:
    client = await connect(rate=1, rate_burst=2)
    statuses = [(await client.get("/version")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
