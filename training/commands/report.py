"""``report``: a finished comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.compare.results import Results
from training.protocol.sweep import Sweep
from training.report.report import NAME, write_report


def report(
    comparison: Annotated[Path, typer.Argument(help="Directory that compare wrote.")],
    sweep: Annotated[
        list[Path] | None, typer.Option(help="A sweep's directory to add; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"HTML file; default {NAME} in the directory.")
    ] = None,
) -> None:
    """Draw the report of a comparison anew, with sweeps beside it."""
    results = Results.open(comparison)
    path = out or comparison / NAME
    write_report(results, path, [Sweep.open(each).trials for each in sweep or []])
    print(path)
