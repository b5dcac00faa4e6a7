"""Load: a service in a process of its own under requests, overload and a mixture.

Counts, statuses and leaks only: how fast it is depends on what else the machine does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.load.generator import Plan, drive
from benchmarks.load.mixed import WITHIN, by_kind, mixture_of
from benchmarks.load.overload import bars, told
from benchmarks.load.requests import Cycle
from benchmarks.load.scale import Scale, Vectors
from benchmarks.load.target import service_requests
from benchmarks.load.usage import Usage, settled, usage
from benchmarks.server import Server, serving
from tests.service.toy_bundle import DIM

WAIT_S = 120.0
VECTORS = Vectors(Scale(items=20, dim=DIM, queries=20))
SEARCHES = Cycle(service_requests(VECTORS.queries))


@pytest.fixture
def served(copied: Path, tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "tmp").mkdir()
    few = {"read_only": False, "search_places": 2}
    few |= {"header_timeout_s": 600, "body_window_s": 600, "body_timeout_s": 600}
    with serving(copied, variables={"TMPDIR": str(tmp_path / "tmp")}, **few) as server:
        yield server


def plan(server: Server, **named: Any) -> Plan:
    return Plan(port=server.port, drain_s=WAIT_S, grace_s=WAIT_S, **named)


def test_load_is_answered_or_refused_and_leaves_nothing(
    served: Server, copied: Path, tmp_path: Path
) -> None:
    folders = (copied / "staging", tmp_path / "tmp")

    def look() -> Usage:
        return usage(served.pid, folders)

    # one at a time: nothing is refused
    one = {"connections": 1, "seconds": 1.0, "due_s": np.arange(40) * 0.02}
    outcome = drive(plan(served, request=SEARCHES, **one))
    assert outcome.statuses == {200: 40}

    mixture = mixture_of(VECTORS)
    few = {"connections": 2, "seconds": 4.0, "due_s": np.arange(200) * 0.02}
    drive(plan(served, request=mixture, **few))
    start = settled(look, None, WITHIN, WAIT_S)

    # far more at once than there are places
    many = drive(plan(served, request=SEARCHES, connections=40, seconds=1.0))
    figures = {**told(many, 1.0), "goodput_of_peak": 1.0}
    assert [bar.name for bar in bars(figures) if not bar.kept] == []
    assert many.statuses[200] > 0

    outcome = drive(plan(served, request=mixture, **few))
    assert by_kind(outcome)["unexpected"] == 0
    assert outcome.resets == 0
    assert outcome.sent.all()

    end = settled(look, start, WITHIN, WAIT_S)
    for name, count in start.counts.items():
        assert end.counts[name] - count <= WITHIN, name
