"""The command that runs benchmarks by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_help_and_a_wrong_name_tell_every_name() -> None:
    programs = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "__main__" in path.read_text() and path.stem != "__main__"
    }
    listed = programs - {"method_fit"} | {"load"}  # `methods` starts that one
    told, wrong = run("--help"), run("such")
    assert (told.returncode, wrong.returncode) == (0, 1)
    assert "unknown benchmark such" in wrong.stderr
    for name in listed:
        assert name in told.stdout.split("Names:")[1], name
        assert name in wrong.stderr, name
