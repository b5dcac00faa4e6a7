"""Machine: what the operating system denies is told before it hurts."""

from __future__ import annotations

import resource
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from service.examination.findings import Finding, Level
from service.examination.machine import examine_machine
from service.settings import MIB, Settings

GETRLIMIT = "service.examination.machine.resource.getrlimit"


@pytest.fixture(autouse=True)
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GETRLIMIT, lambda _: (4096, 4096))
    monkeypatch.setattr("service.examination.machine.os.geteuid", lambda: 1000)


def found(**settings: Any) -> list[Finding]:
    return list(examine_machine(Settings(port=0, **settings)))


def test_a_good_machine_gives_no_finding(tmp_path: Path) -> None:
    assert found(data=tmp_path) == []


def test_too_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GETRLIMIT, lambda _: (1024, 4096))
    (finding,) = found()
    assert finding.level is Level.WARNING
    assert "1024 open files" in finding.what
    assert "ulimit -n 1128" in finding.remedy
    assert found(max_connections=500) == []
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(GETRLIMIT, lambda _: unlimited)
    assert found() == []


def test_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.examination.machine.os.geteuid", lambda: 0)
    (finding,) = found()
    assert "root" in finding.what


@pytest.mark.parametrize(
    ("free", "level"), [(100 * MIB, Level.PROBLEM), (500 * MIB, Level.WARNING)]
)
def test_a_disk_that_is_nearly_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: Level
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr("service.examination.machine.shutil.disk_usage", lambda _: usage)
    (finding,) = found(data=tmp_path)
    assert finding.level is level
    assert f"{free // MIB} MiB" in finding.what


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (finding,) = examine_machine(Settings(port=taken.getsockname()[1]))
    assert "cannot be bound" in finding.what
    assert "EARSHOT_PORT" in finding.remedy
