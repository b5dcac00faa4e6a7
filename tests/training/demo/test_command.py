from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from crossmodal.errors import ConfigError
from crossmodal.features import read_features
from training.datasets.shapes import SHAPES
from training.demo import corpus
from training.demo.catalog import CLASSES
from training.demo.command import demo
from training.demo.features import Difficulty, make_features


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(demo)
    return app


def test_demo_prints_only_where_it_wrote(app: typer.Typer, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    arguments = ["--out", str(out), "--clips", str(len(CLASSES)), "--workers", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out / corpus.MANIFEST}\n"
    assert result.stderr == f"making clips: {len(CLASSES)}\n"
    assert (out / corpus.MANIFEST).is_file()


def test_demo_without_a_target_is_a_usage_error(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, []).exit_code == 2


@pytest.mark.parametrize("layout", ["ours", "literature"])
def test_features_of_either_layout_hold_the_same_rows(
    app: typer.Typer, tmp_path: Path, layout: str
) -> None:
    out = tmp_path / "deep" / "vegas.h5"
    arguments = ["--features", "vegas", "--items", "300", "--layout", layout]
    result = CliRunner().invoke(app, ["--out", str(out), *arguments])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    assert "visual: 240 + 60 items, 1024 wide" in result.stderr
    expected = make_features(SHAPES["vegas"], Difficulty(), items=300)
    for modality, rows in read_features(out).modalities.items():
        made = expected.modalities[modality]
        np.testing.assert_array_equal(rows.features, made.features)
        assert list(rows.split) == list(made.split)
        for ours, theirs in zip(rows.label, made.label, strict=True):
            number = str(sorted(SHAPES["vegas"].classes).index(theirs))
            assert ours == (theirs if layout == "ours" else number)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "imagenet"], "expected one of vegas"),
        (["--features", "vegas", "--clips", "9"], "say --items"),
        (["--items", "300"], "need --features"),
        (["--features", "vegas", "--set", "noise=1"], "unknown setting 'noise'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    app: typer.Typer, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "x.h5"), *arguments])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
