"""The ``demo`` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from training.demo.corpus import write_demo


def demo(
    out: Annotated[Path, typer.Option(help="Directory to write to.")],
    clips: Annotated[int, typer.Option(help="How many clips, over all classes.")] = 400,
    seed: Annotated[int, typer.Option(help="What all chance follows from.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="How many processes; default: one per core.")
    ] = None,
) -> None:
    """Write the demo corpus: clips with picture and sound, and their manifest."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("making clips", total=clips)
        manifest = write_demo(
            out,
            clips=clips,
            seed=seed,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(manifest)
