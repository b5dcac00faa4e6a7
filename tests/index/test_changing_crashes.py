"""Long work whose process is killed at each named point: the next one goes on with it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crossmodal.frontends.catalog import create_frontend
from index.build import build
from index.sources.sourcing import silent
from index.versions.here import do_here
from index.versions.laying import lay_beside
from index.work import ADD, REEMBED
from tests.index.crash.changes import LAY, POINTS
from tests.index.test_crashes import POINTS as CRASHES
from tests.index.tones import write_tones

ROOT = Path(__file__).parents[2]
FIRST = {"low": 200.0, "high": 3000.0}
MORE = {"mid": 900.0}


@pytest.fixture
def place(tmp_path: Path, tiny_bundle: Callable[..., Path]) -> Path:
    """A data directory of two clips, a folder that has one more, and another bundle."""
    spec = {"audio": create_frontend("logmel").spec}
    first, second = (tiny_bundle(["audio"], frontends=spec, seed=s) for s in range(2))
    write_tones(tmp_path / "few", **FIRST)
    write_tones(tmp_path / "all", **FIRST, **MORE)
    (tmp_path / "other").symlink_to(second)
    build(first, tmp_path / "few", tmp_path / "data", workers=1)
    (tmp_path / "kills").mkdir()
    return tmp_path


def kill(place: Path, kind: str, given: str, *made: str) -> None:
    directories = [place / name for name in ("data", given, "kills", *made)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.index.crash.changes", kind, *directories],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]


def test_adding_a_folder_goes_on_wherever_it_was_killed(place: Path) -> None:
    build(place / "data" / "bundle", place / "all", place / "made", workers=1)
    kill(place, ADD, "all", "made")


@pytest.mark.parametrize("kind", sorted({*POINTS} - {ADD}))
def test_a_change_of_the_model_goes_on_wherever_it_was_killed(
    place: Path, kind: str
) -> None:
    build(place / "other", place / "few", place / "made", workers=1)
    if kind != LAY:
        lay_beside(place / "data", place / "other")
    if kind not in (LAY, REEMBED):
        do_here(place / "data", REEMBED, {}, progress=silent)
    kill(place, kind, "other", "data", "made")


def test_every_named_point_has_a_test_that_kills_there() -> None:
    named = {
        point
        for file in (ROOT / "index").glob("*.py")
        for point in re.findall(r'reached\(\s*"([^"]+)"', file.read_text())
    }
    killed = {p for points in (*POINTS.values(), *CRASHES.values()) for p in points}
    assert named
    assert named <= killed
