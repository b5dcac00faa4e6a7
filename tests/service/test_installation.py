"""Floors: no library with a published hole, installed, pinned or allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from crossmodal.media.ffmpeg import ffmpeg_version
from index.storage.database import sqlite_version
from service.examination import installation
from service.examination.findings import Finding, Level
from service.examination.installation import FLOORS, examine_installation, is_below

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# package: the lowest version without a hole that reaches us
SAFE = {
    "starlette": "1.3.1",
    "python-multipart": "0.0.31",
    "onnx": "1.21.0",
    "torch": "2.10.0",
    "faiss-cpu": "1.15.1",
    "faiss-gpu": "1.15.1",
}
SAFE_FFMPEG = "8.1.2"


def allowed() -> Iterator[str]:
    yield from PROJECT["dependencies"]
    for group in PROJECT["optional-dependencies"].values():
        yield from group


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("package", SAFE)
def test_no_version_below_a_floor_can_get_in(package: str) -> None:
    assert not is_below(pins()[package], SAFE[package])
    lowest = {
        match[1]
        for requirement in allowed()
        if (match := re.match(rf"{package}>=([\d.]+)", requirement))
    }
    assert lowest
    for bound in lowest:
        assert not is_below(bound, SAFE[package].removesuffix(".0"))
    try:
        assert not is_below(version(package), SAFE[package])
    except PackageNotFoundError:
        assert package == "faiss-gpu"  # stands in for faiss-cpu where there is a GPU


def test_the_bundled_ffmpeg_is_not_below_its_floor() -> None:
    assert not is_below(ffmpeg_version(), SAFE_FFMPEG)


def test_every_direct_dependency_is_pinned() -> None:
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in allowed()}  # type: ignore[index]
    assert names <= set(pins())


def test_the_doctor_goes_by_the_same_floors() -> None:
    assert {**SAFE, **FLOORS} == {**FLOORS, **SAFE}
    assert installation.FAISS_FLOOR == SAFE["faiss-cpu"]
    assert installation.FFMPEG_FLOOR == SAFE_FFMPEG


@pytest.mark.parametrize(
    ("found", "floor", "below"),
    [
        ("1.3.1", "1.3.1", False),
        ("1.10.0", "1.3.1", False),
        ("1.3.0", "1.3.1", True),
        ("0.99", "1.0", True),
        ("8.1.2", "8.1.2", False),
        ("8.1", "8.1.2", True),
        ("2.13.0+cpu", "2.10.0", False),
        (None, "1", True),
        ("git", "1", True),
    ],
)
def test_versions_are_compared_by_number(
    found: str | None, floor: str, below: bool
) -> None:
    assert is_below(found, floor) is below


def findings(level: Level) -> list[Finding]:
    return [finding for finding in examine_installation() if finding.level is level]


def test_old_libraries_are_told_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.examination.installation.ffmpeg_version", lambda: "6.0")
    monkeypatch.setitem(FLOORS, "starlette", "99.0")
    monkeypatch.setitem(FLOORS, "not-there", "1.0")
    packages, ffmpeg = findings(Level.PROBLEM)
    assert f"starlette {version('starlette')} (needs 99.0)" in packages.what
    assert "not-there missing" in packages.what
    assert "FFmpeg is 6.0" in ffmpeg.what
    assert packages.remedy
    assert ffmpeg.remedy


def test_an_old_sqlite_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.examination.installation.sqlite_version", lambda: "3.40.1")
    (finding,) = findings(Level.WARNING)
    assert "3.40.1" in finding.what
    monkeypatch.setattr("service.examination.installation.sqlite_version", lambda: "3.51.3")
    assert findings(Level.WARNING) == []
    assert sqlite_version()
