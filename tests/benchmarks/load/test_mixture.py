"""The mixture: shares, ids, bodies; and what is counted of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load.mixed import bars, by_kind
from benchmarks.load.mixture import LAG, ROUND, Kind, Mixture, kind_of
from benchmarks.load.outcome import Outcome
from benchmarks.load.usage import descendants, settled, slope_per_minute, usage

MIXTURE = Mixture(searches=[b"s0", b"s1"], clips=[b"c0"], vectors=["[1]", "[2]"], ids=30)


def test_shares_are_seventy_twenty_five_five() -> None:
    many = range(ROUND * LAG, ROUND * LAG + 2000)
    counts = Counter(kind_of(number) for number in many)
    expected = {Kind.SEARCH: 1400, Kind.INGEST: 400, Kind.DELETE: 100, Kind.UPLOAD: 100}
    assert counts == expected
    early = Counter(kind_of(number) for number in range(ROUND * LAG))
    assert early[Kind.DELETE] == 0
    assert early[Kind.INGEST] == 4 * LAG


def test_what_is_deleted_was_stored_and_ids_come_round() -> None:
    stored: dict[str, int] = {}
    deleted = 0
    for number in range(2000):
        line, _, rest = MIXTURE(number).partition(b" HTTP/1.1")
        if kind_of(number) is Kind.INGEST:
            path = line.removeprefix(b"PUT ").decode()
            stored[path] = number
            body = json.loads(rest.partition(b"\r\n\r\n")[2])
            assert set(body["vectors"]) == {"audio", "visual"}
            assert body["vectors"]["audio"] in ([1], [2])
        elif kind_of(number) is Kind.DELETE:
            deleted += 1
            assert line.removeprefix(b"DELETE ").decode() in stored
        else:
            assert line in (b"s0", b"s1", b"c0")
    assert deleted == 2000 // ROUND - LAG
    assert set(stored) == {f"/items/load{number}" for number in range(30)}


def test_statuses_are_judged_by_kind() -> None:
    numbers = np.arange(ROUND * LAG, ROUND * LAG + ROUND)
    kinds = [kind_of(number) for number in numbers.tolist()]
    good = {Kind.SEARCH: 200, Kind.INGEST: 201, Kind.DELETE: 404, Kind.UPLOAD: 429}
    status = np.array([good[kind] for kind in kinds])
    told = by_kind(outcome(numbers, status))
    assert told["unexpected"] == 0
    assert told["ingest"]["statuses"] == {"201": 4}
    assert told["search"]["p50_ms"] == 1000
    assert "p99_ms" in told["acknowledgment"]
    for kind in Kind:
        wrong = status.copy()
        wrong[kinds.index(kind)] = 500
        assert by_kind(outcome(numbers, wrong))["unexpected"] == 1


def outcome(numbers: np.ndarray, status: np.ndarray) -> Outcome:
    zero = np.zeros(len(numbers))
    return Outcome(
        number=numbers,
        due_s=zero,
        sent_s=zero,
        done_s=zero + 1,
        status=status,
        retry_after=zero.astype(bool),
        lag_s=zero,
        resets=0,
        elapsed_s=1.0,
        busy=0.0,
    )


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, []),
        ({"rss_growth_mib": 101.0}, ["growth of memory"]),
        ({"unexpected": 1}, ["answers that are not expected"]),
        ({"resets": 1}, ["resets"]),
        ({"held_at_end": {"threads": 14, "files": 0}}, ["threads more than at the start"]),
        ({"held_at_end": {"threads": 8, "files": 6}}, ["files more than at the start"]),
    ],
)
def test_bars_tell_growth_and_leaks(change: dict[str, object], missed: list[str]) -> None:
    held = {"threads": 8, "files": 0}
    figures = {"rss_growth_mib": 100.0, "unexpected": 0, "resets": 0}
    figures |= {"held_at_start": held, "held_at_end": held, **change}
    assert [bar.name for bar in bars(figures) if not bar.kept] == missed


def test_usage_counts_what_a_process_holds(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    before = usage(os.getpid(), [tmp_path])
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child, (tmp_path / "deep" / "file").open("w"):
        now = usage(os.getpid(), [tmp_path])
        assert child.pid in descendants(os.getpid())
        assert now.descriptors - before.descriptors == 2  # the pipe and the file
        assert now.children - before.children == 1
        assert now.files - before.files == 1
        child.communicate(b"\n")
    assert child.pid not in descendants(os.getpid())
    assert now.rss_mib > 10
    assert settled(lambda: usage(os.getpid(), [tmp_path]), now, 5, 60).files == 1


def test_settling_waits_until_counts_are_back_or_the_time_is_over() -> None:
    start = usage(os.getpid(), [])
    looks = iter([start.__class__(**{**vars(start), "threads": n}) for n in (40, 30, 1)])
    like = start.__class__(**{**vars(start), "threads": 1})
    assert settled(lambda: next(looks), like, 5, 600).threads == 1
    far = start.__class__(**{**vars(start), "threads": 99})
    assert settled(lambda: far, like, 5, 0.6).threads == 99


def test_slope_is_per_minute() -> None:
    assert slope_per_minute([0, 30, 60], [5, 6, 7]) == pytest.approx(2)
    assert slope_per_minute([1], [5]) == 0
