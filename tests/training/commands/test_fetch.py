import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crossmodal.errors import ConfigError, DataError
from crossmodal.features import write_features
from training.commands import fetch as command
from training.commands.fetch import fetch
from training.datasets.public import PUBLIC
from training.datasets.shapes import SHAPES
from training.demo.features import Difficulty, make_features


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(fetch)
    return app


def test_without_a_name_every_set_is_listed(app: typer.Typer) -> None:
    lines = CliRunner().invoke(app, []).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(PUBLIC)
    listed = json.loads(CliRunner().invoke(app, ["--format", "json"]).stdout)
    vegas = next(entry for entry in listed if entry["name"] == "vegas")
    assert vegas["shapes"][0]["dims"] == {"audio": 128, "visual": 1024}


def test_unknown_name_lists_those_there_are(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["imagenet"])
    assert isinstance(result.exception, ConfigError)
    assert "expected one of vegas, ave, wikipedia, ravdess" in str(result.exception)


def test_set_offered_by_hand_only_says_where_and_that_nobody_checked(
    app: typer.Typer,
) -> None:
    result = CliRunner().invoke(app, ["vegas"])
    assert result.exit_code == 0
    assert result.stdout == ""
    for place in PUBLIC["vegas"].places:
        assert place.url in result.stderr
    assert result.stderr.count("unverified") == len(PUBLIC["vegas"].places)
    assert "it has no direct address" in result.stderr


def test_direct_files_are_downloaded_into_the_folder_named(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path]] = []

    def fake(file: object, directory: Path, *, advance: object) -> Path:
        asked.append((file.name, directory))  # type: ignore[attr-defined]
        return directory

    monkeypatch.setattr(command, "download", fake)
    result = CliRunner().invoke(app, ["wikipedia", "--out", str(tmp_path / "w")])
    assert result.stdout == f"{tmp_path / 'w'}\n"
    assert asked == [(f.name, tmp_path / "w") for f in PUBLIC["wikipedia"].files]


def test_check_prints_findings_and_fails_on_a_problem(
    app: typer.Typer, tmp_path: Path
) -> None:
    shape = SHAPES["ave15-189"]
    path = tmp_path / "ave.h5"
    easy = Difficulty(nuisance=0, factors=8)
    write_features(path, make_features(shape, easy))
    good = CliRunner().invoke(app, ["ave", "--check", str(path)])
    assert good.exit_code == 0, good.output
    assert "ok       1,766 train + 189 test items: the sizes of ave15-189" in good.stdout
    write_features(path, make_features(replace(shape, test=180), easy))
    bad = CliRunner().invoke(app, ["ave", "--check", str(path), "--format", "json"])
    assert isinstance(bad.exception, DataError)
    assert {"level", "text"} == set(json.loads(bad.stdout)[0])
    assert json.loads(bad.stdout)[0]["level"] == "problem"
