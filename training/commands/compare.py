"""``compare``: several methods under one protocol, as one table with its evidence."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crossmodal import console
from training.commands.evaluate import Split
from training.commands.fit import Device, Preset, resolve_device
from training.compare.claim_tables import claim_notes, claim_tables
from training.compare.comparison import compare as run_comparison
from training.compare.request import CompareRequest, parse_entries, parse_overrides
from training.compare.results import Results
from training.compare.tables import csv_text, lay_out, notes
from training.report.report import NAME as REPORT
from training.report.report import write_report

BUDGET = 12


class TableFormat(StrEnum):
    """How to print the table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def compare(
    data: Annotated[Path, typer.Option(help="Features file.")],
    methods: Annotated[
        str, typer.Option(help="a,b@PRESET,c:KEY=VALUE, all, claims; random joins.")
    ],
    out: Annotated[Path, typer.Option(help="Directory; finished fits are reused.")],
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each method.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    preset: Annotated[Preset, typer.Option(help="Settings to start from.")] = Preset.TUNED,
    set: Annotated[
        list[str] | None, typer.Option(help="METHOD.KEY=VALUE; repeatable.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Deal all rows into so many folds.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Search settings on validation.")
    ] = False,
    budget: Annotated[int, typer.Option(min=1, help="Candidates per search.")] = BUDGET,
    split: Annotated[Split, typer.Option(help="Which rows to score.")] = Split.TEST,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
    workers: Annotated[int | None, typer.Option(min=1, help="Fits at a time.")] = None,
    format: Annotated[TableFormat, typer.Option(help="How to print.")] = TableFormat.TABLE,
) -> None:
    """Fit and score methods over seeds or folds; write the table and its evidence.

    A stopped comparison goes on where it was. A method that fails or does not apply to
    the data is a row that says so.
    """
    resolved = resolve_device(device)
    request = CompareRequest(
        data=data,
        entries=parse_entries(methods, preset.value),
        preset=preset.value,
        overrides=parse_overrides(set or []),
        seeds=tuple(range(seed, seed + seeds)),
        folds=folds,
        tune=budget if tune else None,
        split=split.value,
        device=resolved,
        workers=workers or _usual_workers(resolved),
    )
    results = run_comparison(request, out)
    console.note("drawing the report")
    write_report(results, out / REPORT)
    show(results, format)


def show(results: Results, format: TableFormat) -> None:
    """Print a comparison on stdout."""
    if format is TableFormat.JSON:
        sys.stdout.write(json.dumps(results.rows, indent=2, ensure_ascii=False) + "\n")
    elif format is TableFormat.CSV:
        sys.stdout.write(csv_text(results.rows))
    else:
        screen = Console(width=None if Console().is_terminal else 200)
        claimed = claim_tables(results.claims)
        for table in [*lay_out(results.rows, results.card), *claimed]:
            shown = Table(*table.headings, title=table.title)
            for line in table.lines:
                shown.add_row(*line)
            screen.print(shown)
        for note in [*notes(results.card), *claim_notes(results.claims, results.card)]:
            screen.print(note, markup=False, highlight=False)
        print(results.directory)


def _usual_workers(device: str) -> int:
    """One per core; one for a GPU, whose memory several fits would have to share."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
