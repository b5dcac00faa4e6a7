from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from training.demo import corpus
from training.demo.catalog import CLASSES
from training.demo.command import demo


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
