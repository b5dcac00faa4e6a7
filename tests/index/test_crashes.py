"""Processes that are killed while they write: nothing acknowledged may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("EARSHOT_CRASH_ROUNDS", "20"))
POINTS = {
    "a write": (
        *("media renamed", "before commit", "after commit", "before publish"),
        *("after acknowledgment", "before media deletion"),
    ),
    "a compaction": (
        *("base written", "before CURRENT", "after CURRENT", "old base deleted"),
        "after swap",
    ),
    "a file": ("base opened", "CURRENT opened", "synced", "renamed"),
}


def harness(data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.index.crash.harness", str(data), *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300 + 30 * ROUNDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


def test_nothing_acknowledged_is_lost_and_nothing_deleted_returns_when_it_is_killed(
    data: Path,
) -> None:
    said = harness(data, "--rounds", str(ROUNDS))
    assert f"{ROUNDS} rounds" in said
    acknowledged = int(said.split(",")[1].split()[0])
    assert acknowledged >= 3 * ROUNDS  # it did write


@pytest.mark.parametrize("what", POINTS)
def test_a_kill_at_any_named_point_costs_nothing(data: Path, what: str) -> None:
    points = [argument for point in POINTS[what] for argument in ("--point", point)]
    harness(data, *points, "--rounds", str(max(2, ROUNDS // 10)))
