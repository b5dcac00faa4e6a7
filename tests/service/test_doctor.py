"""Doctor and keys on the command line: plain words, and a verdict in the exit code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.__main__ import app
from service.access.keys import Role, key_of, parse_keys
from service.examination.doctor import examine
from service.examination.findings import Level
from service.examination.installation import examine_installation

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EARSHOT_DATA", "EARSHOT_API_KEYS", "EARSHOT_HOST", "EARSHOT_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_a_sound_data_directory_has_no_problem(data_directory: Path) -> None:
    findings = list(examine(data_directory))
    assert not [f for f in findings if f.level is Level.PROBLEM]
    assert any("a query went through" in finding.what for finding in findings)


def test_this_installation_is_new_enough() -> None:
    assert Level.PROBLEM not in {finding.level for finding in examine_installation()}


def test_a_damaged_bundle_is_a_problem(data_directory: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data_directory, copy)
    (copy / "bundle" / "visual.onnx").write_bytes(b"")
    result = CliRunner().invoke(app, ["doctor", "--data", str(copy)])
    assert result.exit_code == 1
    assert "visual.onnx" in result.output


def test_a_damaged_database_is_a_problem_until_it_is_recovered(copied: Path) -> None:
    database = copied / "items.db"
    whole = database.read_bytes()
    at = whole.rindex(b'"year": 2003')  # of i03
    (copied / "items.db").write_bytes(
        b"\xff" * 100 + whole[100:at] + b'"' * 12 + whole[at + 12 :]
    )
    damaged = database.read_bytes()
    told = CliRunner().invoke(app, ["doctor", "--data", str(copied)])
    assert told.exit_code == 1
    assert "items.db is damaged" in told.output
    assert "pass --recover" in told.output
    assert database.read_bytes() == damaged
    mended = CliRunner().invoke(app, ["doctor", "--data", str(copied), "--recover"])
    assert mended.exit_code == 0, mended.output
    assert "11 items with 23 vectors were recovered" in mended.output
    assert "1 items are lost: i03" in mended.output
    assert "damaged-1/recovery.json" in mended.output
    assert (copied / "damaged-1" / "items.db").read_bytes() == damaged
    assert "a query went through" in mended.output
    again = CliRunner().invoke(app, ["doctor", "--data", str(copied), "--recover"])
    assert again.exit_code == 0
    assert "there is nothing to recover" in again.output
    assert not (copied / "damaged-2").exists()


def test_no_data_directory_is_a_problem() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "no data directory is named" in result.output


def test_a_misspelt_variable_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, data_directory: Path
) -> None:
    monkeypatch.setenv("EARSHOT_POTR", "1")
    assert any("EARSHOT_POTR" in f.what for f in examine(data_directory))


@pytest.mark.parametrize("role", ["read", "write", "admin"])
def test_key_prints_a_secret_and_its_line(role: str) -> None:
    result = CliRunner().invoke(app, ["key", "--role", role])
    secret = re.search(r"key: (\S+)", result.output)
    line = re.search(r"entry: (\S+)", result.output)
    assert secret is not None
    assert line is not None
    keys = parse_keys(line[1])
    found = key_of([f"Bearer {secret[1]}".encode()], keys)
    assert found is not None
    assert found.role is Role[role.upper()]


def test_the_version_is_the_projects() -> None:
    from service.version import VERSION

    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
