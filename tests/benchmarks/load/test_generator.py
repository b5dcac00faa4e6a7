"""The load generator against servers whose every answer is known."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from benchmarks.load.arrivals import poisson
from benchmarks.load.generator import Plan, drive
from benchmarks.load.outcome import Outcome
from benchmarks.load.process import generate
from benchmarks.load.requests import Cycle, http_request, vector_json
from tests.benchmarks.load.scripted import OK, answer, scripted

REQUESTS = Cycle([http_request("/x", b"%d" % number) for number in range(5)])


def plan(port: int, **named: Any) -> Plan:
    """Requests due every 5 ms; time enough for any machine to answer them."""
    given = {"connections": 2, "seconds": 0.5, "drain_s": 60.0, "grace_s": 60.0}
    given |= {"due_s": np.arange(100) * 0.005, "request": REQUESTS} | named
    return Plan(port=port, **given)


def test_arrivals_are_ascending_seeded_and_as_random_as_told() -> None:
    due = poisson(200, 50, seed=3)
    assert np.array_equal(due, poisson(200, 50, seed=3))
    assert not np.array_equal(due[:10], poisson(200, 50, seed=4)[:10])
    assert (np.diff(due) > 0).all()
    assert due[0] > 0
    assert due[-1] < 50
    gaps = np.diff(due)
    assert gaps.mean() == pytest.approx(1 / 200, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential, not regular
    per_second = np.bincount(due.astype(int))
    assert per_second.var() == pytest.approx(per_second.mean(), rel=0.4)


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (-1, 1), (1, 0)])
def test_arrivals_need_a_rate_and_a_time(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        poisson(rate, seconds, seed=0)


def test_every_due_request_is_sent_once_and_not_early() -> None:
    with scripted(lambda _: OK) as server:
        due = poisson(300, 0.4, seed=1)
        outcome = drive(plan(server.port, due_s=due))
    by_number = np.argsort(outcome.number)
    assert outcome.number[by_number].tolist() == list(range(len(due)))
    assert np.array_equal(outcome.due_s[by_number], due)
    assert (outcome.sent_s >= outcome.due_s).all()
    assert (outcome.done_s > outcome.sent_s).all()
    assert np.array_equal(outcome.latency_s, outcome.done_s - outcome.due_s)
    expected = Counter(
        REQUESTS(number).partition(b"\r\n\r\n")[2] for number in range(len(due))
    )
    assert Counter(server.bodies) == expected
    assert server.connections == 2


STALL_S, STALLED = 0.5, 10


def stalls_once(number: int) -> bytes:
    if number == STALLED:
        time.sleep(STALL_S)
    return OK


def test_a_stall_is_told_by_every_request_that_was_due_meanwhile() -> None:
    with scripted(stalls_once) as server:
        outcome = drive(plan(server.port, connections=1))
    assert outcome.statuses == {200: 100}
    first = STALLED * 0.005
    meanwhile = (outcome.due_s > first) & (outcome.due_s < first + STALL_S)
    assert meanwhile.sum() == 89
    waited = first + STALL_S - outcome.due_s[meanwhile]
    assert (outcome.latency_s[meanwhile] >= waited).all()
    assert outcome.latencies()["p50_ms"] >= 1e3 * (STALL_S / 2 - 0.05)

    # the mistake itself, counting from the sending, hides the stall from all but one
    mistaken = replace(outcome, due_s=outcome.sent_s)
    hidden = outcome.latency_s[meanwhile] - mistaken.latency_s[meanwhile]
    assert (hidden >= waited - 1e-9).all()


def test_statuses_retry_after_and_the_rate_of_successes_are_counted() -> None:
    replies = {0: OK, 1: answer(429, "Retry-After: 1"), 2: answer(503, "retry-after: 5")}
    replies |= {3: answer(429), 4: answer(500)}
    with scripted(lambda number: replies[number % 5]) as server:
        outcome = drive(plan(server.port))
    assert outcome.statuses == {200: 20, 429: 40, 500: 20, 503: 20}
    assert outcome.retry_after[np.isin(outcome.status, (429, 503))].sum() == 40
    assert not outcome.retry_after[outcome.status == 200].any()
    early = (outcome.status == 200) & (outcome.done_s <= 0.25)
    assert outcome.answered(0.25) == early.sum() / 0.25
    assert outcome.account()["statuses"] == {"200": 20, "429": 40, "500": 20, "503": 20}
    assert outcome.account()["resets"] == 0


def test_a_connection_that_ends_with_an_answer_owed_is_a_reset() -> None:
    with scripted(lambda number: None if number in (7, 30) else OK) as server:
        outcome = drive(plan(server.port))
    assert outcome.resets == 2
    assert outcome.statuses == {0: 2, 200: 98}
    assert np.isnan(outcome.done_s[outcome.status == 0]).all()
    lost = outcome.status == 0
    assert np.array_equal(outcome.latency_s[lost], outcome.elapsed_s - outcome.due_s[lost])


def test_a_server_that_closes_after_each_answer_is_no_reset() -> None:
    with scripted(lambda _: answer(200, "Connection: close")) as server:
        outcome = drive(plan(server.port))
    assert (outcome.resets, outcome.statuses) == (0, {200: 100})
    assert server.connections >= 100


def test_an_idle_connection_may_be_told_that_it_took_too_long() -> None:
    with scripted(lambda _: OK, answer(408, "Connection: close")) as server:
        outcome = drive(plan(server.port, connections=4))
    assert outcome.statuses.get(200, 0) >= 99  # one may have been sent just before
    assert server.connections >= 5


def test_any_other_answer_that_nobody_asked_for_is_an_error() -> None:
    with (
        scripted(lambda _: OK, answer(200)) as server,
        pytest.raises(ValueError, match="nobody asked"),
    ):
        drive(plan(server.port, connections=1, due_s=np.array([60.0]), seconds=61.0))


def test_what_finds_no_connection_is_unsent_and_has_waited_all_the_time() -> None:
    def stuck(number: int) -> bytes | None:
        return OK if number < 3 else b""  # the connection stays open, with nothing on it

    with scripted(stuck) as server:
        outcome = drive(plan(server.port, connections=1, drain_s=0.0, grace_s=0.1))
    never = ~outcome.sent
    assert 96 <= outcome.account()["unsent"] == never.sum()  # 96 on a machine in time
    assert len(outcome.number) == 100
    assert np.array_equal(
        outcome.latency_s[never], outcome.elapsed_s - outcome.due_s[never]
    )
    assert outcome.elapsed_s >= 0.6


def test_a_closed_loop_asks_again_only_once_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together, looks = threading.Barrier(3), count()

    def reply(number: int) -> bytes:
        if number < 3:  # none is answered before all have asked
            together.wait(60)
        return OK

    def now_s() -> float:
        """The time is over once thirty have asked."""
        return 1e-6 * next(looks) + (len(server.bodies) >= 30)

    clock = SimpleNamespace(perf_counter=now_s, process_time=time.process_time)
    monkeypatch.setattr("benchmarks.load.generator.time", clock)
    with scripted(reply) as server:
        outcome = drive(plan(server.port, connections=3, due_s=None))
    assert outcome.statuses == {200: len(server.bodies)}
    assert server.connections == 3
    assert len(outcome.number) >= 30
    times = np.concatenate([outcome.sent_s, outcome.done_s])
    steps = np.repeat([1, -1], len(outcome.number))
    assert np.cumsum(steps[np.argsort(times, kind="stable")]).max() == 3
    assert np.array_equal(outcome.due_s <= outcome.sent_s, np.ones(len(outcome.number)))


def test_a_body_larger_than_the_socket_takes_is_sent_whole() -> None:
    large = Cycle([http_request("/x", b"y" * 8_000_000)])
    with scripted(lambda _: OK) as server:
        outcome = drive(plan(server.port, request=large, due_s=np.zeros(3)))
    assert outcome.statuses == {200: 3}
    assert [len(body) for body in server.bodies] == [8_000_000] * 3


def test_an_answer_of_unknown_length_is_an_error() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with scripted(lambda _: chunked) as server, pytest.raises(ValueError, match="Length"):
        drive(plan(server.port))


def test_another_process_sends_the_same() -> None:
    with scripted(lambda _: OK) as server:
        outcome = generate(plan(server.port))
    assert isinstance(outcome, Outcome)
    assert outcome.statuses == {200: 100}
    assert sorted(server.bodies) == sorted(
        REQUESTS(number).partition(b"\r\n\r\n")[2] for number in range(100)
    )


def test_quantiles_are_those_of_the_sorted_list() -> None:
    rng = np.random.default_rng(0)
    done = rng.permutation(np.arange(1, 1001)) / 1000
    zero, ok = np.zeros(1000), np.full(1000, 200)
    status = np.where(np.arange(1000) < 500, 429, ok)
    outcome = Outcome(
        number=np.arange(1000),
        due_s=zero,
        sent_s=zero,
        done_s=done,
        status=ok,
        retry_after=zero.astype(bool),
        lag_s=zero,
        resets=0,
        elapsed_s=1.0,
        busy=0.5,
    )
    got = outcome.latencies()
    assert got == {"p50_ms": 501.0, "p95_ms": 951.0, "p99_ms": 991.0, "p999_ms": 1000.0}
    served = np.sort(done[500:])
    assert replace(outcome, status=status).latencies()["p999_ms"] == 1e3 * served[-1]
    assert outcome.only(done > 0.9).latencies()["p50_ms"] == 951.0


def test_a_vector_reads_back_as_the_same_numbers() -> None:

    vector = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    again = np.array(orjson.loads(vector_json(vector))).astype(np.float32)
    assert np.array_equal(again, vector)
