"""``evaluate``: the evaluation card of one run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from crossmodal import console
from crossmodal.errors import DataError
from crossmodal.faults import naming
from crossmodal.features import read_features
from training.per_direction import open_runs
from training.protocol.evaluate import evaluate_run, together

COLUMNS = {
    "mAP@all": "mean_average_precision",
    "without own pair": "mean_average_precision_without_own_pair",
    "random": "random_mean_average_precision",
    "R@1": "recall_at_1",
    "R@5": "recall_at_5",
    "R@10": "recall_at_10",
    "MedR": "median_rank",
    "MRR": "mean_reciprocal_rank",
    "queries": "queries",
    "gallery": "gallery",
}


class Split(StrEnum):
    """Which rows to score."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


def evaluate(
    run: Annotated[Path, typer.Option(help="Run directory.")],
    data: Annotated[
        Path | None, typer.Option(help="Features file; the run's own if not given.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Which rows to score.")] = Split.TEST,
    format: Annotated[console.Format, typer.Option(help="How to print.")] = (
        console.Format.TABLE
    ),
) -> None:
    """Score a run, in its directions, with the encoders that export would serve."""
    opened = open_runs(run)
    path = data or Path(opened[0].config["data"]["path"])
    if not path.is_file():
        raise DataError(f"{path}: the run's features file is gone; give --data")
    with naming(path):
        features = read_features(path)
        summary = together([evaluate_run(one, features, split.value) for one in opened])
    if format is console.Format.JSON:
        console.print_json(summary)
    else:
        print_card(summary)


def print_card(summary: Mapping[str, Any]) -> None:
    """Print the card's main figures as a table on stdout."""
    title = (
        f"{summary['method']} on {summary['data']}, {summary['split']} split, "
        f"seed {summary['seed']}"
    )
    caption = (
        "mAP by class over the whole gallery; R@K, MedR and MRR find the very clip "
        "(- where the data has no pairs)"
    )
    table = Table(title=title, caption=caption)
    table.add_column("direction")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for direction, values in summary["directions"].items():
        table.add_row(direction, *(_cell(values[key]) for key in COLUMNS.values()))
    Console(width=None if Console().is_terminal else 130).print(table)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
