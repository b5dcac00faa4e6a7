"""The operations guide: its commands, settings, files and figures are there as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from service.settings import _FOREIGN, Settings

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "operations.md").read_text()
COMMANDS = sorted(set(re.findall(r"python -m (index|service) ([a-z-]+)", GUIDE)))


@pytest.mark.parametrize("package", ["index", "service"])
def test_every_command_it_names_exists(package: str) -> None:
    named = {command for name, command in COMMANDS if name == package}
    assert named
    helped = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert named <= set(re.findall(r"[a-z-]+", helped))


def test_every_setting_it_names_exists() -> None:
    known = {f"EARSHOT_{name.upper()}" for name in (*Settings.model_fields, *_FOREIGN)}
    named = set(re.findall(r"EARSHOT_[A-Z_]+", GUIDE))
    assert named
    assert named <= known


def test_every_file_it_names_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (ROOT / "docs" / link).is_file(), link
    for path in re.findall(r"`(docker[\w./-]+)`", GUIDE):
        assert (ROOT / path).is_file(), path
    targets = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^|&& )make ([a-z-]+)", GUIDE, re.MULTILINE):
        assert f"\n{target}:" in targets, target
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    profiles = {p for s in compose["services"].values() for p in s.get("profiles", ())}
    assert set(re.findall(r"--profile (\w+)", GUIDE)) <= profiles


def test_every_metric_it_names_is_served() -> None:
    dashboard = (ROOT / "docker" / "monitoring" / "dashboards" / "earshot.json").read_text()
    for name in re.findall(r"`(earshot_\w+)`", GUIDE):
        assert name in dashboard
